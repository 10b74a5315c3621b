"""Pharmacodynamic models: growth laws, senolysis, neutrophils."""
