"""Pharmacokinetic structures, one file each; closed form wherever one exists."""
