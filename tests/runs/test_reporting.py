"""The lines of a run: at its start and at its end."""

import pytest

from tfacme import loggers
from tfacme.runs import reporting

DESCRIPTION = {
  'agent': 'dqn',
  'environment': 'bsuite:catch/0',
  'launch': 'local_mp',
  'budget': {'actor_steps': 1000},
  'evaluations': [{'name': 'evaluator'}, {'name': 'hard'}],
}


def _log(tmp_path, name, **row):
  logger = loggers.CSVLogger(str(tmp_path / 'logs' / f'{name}.csv'))
  logger.write(row)
  logger.close()


def _evaluated(tmp_path, name='evaluator', cut=0, value=0.25, error=0.125, **made):
  row = {'episode_return': value, 'episode_return_standard_error': error, 'episodes_cut': cut, **made, 'timestamp': 1.0}
  _log(tmp_path, name, actor_steps=1000, learner_steps=200, **row)


def test_the_first_line_names_what_runs():
  assert reporting.opening(DESCRIPTION, 'runs/a') == 'dqn on bsuite:catch/0 in runs/a (local_mp)'


@pytest.mark.parametrize(
  'cut, ended, says',
  [
    (0, None, 'Evaluation return 0.25 ± 0.12 (standard error) after 1,000 environment steps; '),
    (2, None, 'Evaluation return 0.25 ± 0.12 (standard error; 2 episodes cut off) after 1,000 environment steps; '),
    (
      0,
      'it is good',
      'Evaluation return 0.25 ± 0.12 (standard error) after 1,000 environment steps; stopped since it is good; ',
    ),
  ],
)
def test_the_last_line_is_the_result_and_its_place(cut, ended, says, tmp_path):
  _log(tmp_path, 'learner', learner_steps=1)
  _evaluated(tmp_path, cut=cut)
  said = reporting.result(str(tmp_path), DESCRIPTION, ended, 'runs/a')
  assert said == f'{says}logs, checkpoints and policy are in runs/a'


def test_all_evaluations_are_told(tmp_path):
  _log(tmp_path, 'learner', learner_steps=1)
  _evaluated(tmp_path)
  _evaluated(tmp_path, name='hard', value=-2.0)
  said = reporting.result(str(tmp_path), {**DESCRIPTION, 'budget': {'learner_steps': 200}}, None, 'a')
  assert said.startswith(
    'Evaluation return 0.25 ± 0.12 (standard error), hard -2 ± 0.12 (standard error) after 200 learn'
  )


def test_what_observers_and_estimators_made_is_told_with_the_return(tmp_path):
  _log(tmp_path, 'learner', learner_steps=1)
  _evaluated(tmp_path, error=float('nan'), cut=1, normalized_score=62.54321, fitted_q=0.875)
  _evaluated(tmp_path, name='hard', normalized_score=-3.0, **{f'action_{i}_share': 0.5 for i in range(18)})
  said = reporting.result(str(tmp_path), DESCRIPTION, None, 'a')
  assert said.startswith(
    'Evaluation return 0.25 (one episode; one episode cut off; normalized_score 62.54, fitted_q 0.875), '
    'hard 0.25 ± 0.12 (standard error; normalized_score -3, action_0_share 0.5, '
  )
  assert ', action_3_share 0.5 and 14 more) after 1,000 environment steps; logs' in said
  observed = {'normalized_score': 0.0, **{f'action_{i}_share': 0.0 for i in range(18)}}
  place = '(estimated by the run, in logs/evaluator.csv, after 1,000 environment steps)'
  assert reporting.estimated(str(tmp_path), DESCRIPTION, observed) == f'fitted_q 0.875 {place}'
  assert reporting.estimated(str(tmp_path), DESCRIPTION, {**observed, 'fitted_q': 0.0}) == ''


def test_what_was_not_done_is_told(tmp_path):
  said = reporting.result(str(tmp_path), DESCRIPTION, None, 'a')
  assert said.startswith(
    'No evaluation was made; nothing was learned, since the replay never held as much as the agent'
  )
  assert said.endswith('so there is no learner.csv; logs, checkpoints and policy are in a')
