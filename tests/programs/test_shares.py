"""Schedules that end at a share of the run: as exact as a number of steps, and extended with the run."""

import dataclasses

import pytest

import tfacme
from tests.contract import environment, on_policy
from tfacme import datasets, schedules, testing
from tfacme.agents import bc


class _Update(on_policy.Update):
  """Tells what is left of the run."""

  def __call__(self, batch):
    output = super().__call__(batch)
    return output._replace(metrics={'left': schedules.value((1.0, 0.0, '100%'), 0)})


@dataclasses.dataclass(frozen=True)
class _Builder(on_policy.Builder):
  def update(self, networks, spec):
    return _Update(networks)


def test_a_learner_goes_by_the_steps_of_the_actors(tmp_path):
  few = dataclasses.replace(on_policy.experiment(), builder=_Builder(), budget=tfacme.Budget(actor_steps=400))
  for budget in (400, 800):  # The same experiment, extended.
    experiment = dataclasses.replace(few, budget=tfacme.Budget(actor_steps=budget))
    tfacme.train(experiment, str(tmp_path), progress=False)
    rows = testing.logs(tmp_path)['learner']
    new = [row for row in rows if int(row['actor_steps']) > budget - 400]
    assert len(new) > 5
    assert [float(row['left']) for row in new] == pytest.approx([1 - int(row['actor_steps']) / budget for row in new])


@pytest.mark.slow
@pytest.mark.parametrize('updates', [1, 3])
def test_a_run_from_data_goes_by_its_learning_steps(updates, tmp_path):
  """Bit for bit what the number of steps gives that the share comes to."""
  logged = []
  for name, end in (('steps', 60), ('share', '50%'), ('other', '25%')):
    experiment = tfacme.Experiment(
      bc.BCBuilder(bc.BCConfig(learning_rate=(1e-2, 0.0, end), batch_size=8)),
      environment.TwoStates,
      bc.default_networks(hidden_sizes=(8,)),
      tfacme.Budget(learner_steps=120),
      dataset=datasets.memory(environment.record(20)),
      layout=tfacme.Layout(updates_per_call=updates),
      evaluation=tfacme.Evaluation(every=0, episodes=2),
      logging=tfacme.Logging(learner_every=3),
    )
    tfacme.train(experiment, str(tmp_path / name), progress=False)
    logged.append(testing.logs(tmp_path / name)['learner'])
  assert logged[0] == logged[1] != logged[2]
