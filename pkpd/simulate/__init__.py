"""Where draws of parameters meet models: mouse studies as they were observed, patients under schedules."""

from pkpd.simulate.evaluate import evaluate
from pkpd.simulate.patients import Patients, human_patients
from pkpd.simulate.study import simulate_study
from pkpd.simulate.trajectories import trajectories

__all__ = ["Patients", "evaluate", "human_patients", "simulate_study", "trajectories"]
