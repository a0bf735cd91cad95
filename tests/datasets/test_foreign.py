"""Data sets that others wrote: what they say is read, and what they leave open is asked for."""

import numpy as np
import pytest
import tensorflow_datasets as tfds
from dm_env import specs as dm_specs

from tests.datasets import foreign
from tfacme import datasets, errors

features = tfds.features


def _message(function):
  with pytest.raises(errors.UserError) as error:
    function()
  assert '\n' not in str(error.value)
  return str(error.value)


def _read(data):
  """The episodes in the order of their lengths, which tell them apart here."""
  return sorted(data.episodes(0), key=lambda step: len(step.last))


# Ends of episodes.


def test_termination_and_truncation_are_told_by_is_terminal(tmp_path):
  recorded = [
    foreign.rows(2, True, [1, 1, 1]),  # terminated, whatever the discounts say
    foreign.rows(3, True, [1, 1, 0, 0]),
    foreign.rows(4, False, [1, 1, 1, 0, 0]),  # truncated, and closed with zero
    foreign.rows(5, False, [0.9, 0.9, 0.9, 0.9, 0.9, 0.0]),  # truncated, with discounts of the environment's own
  ]
  data = foreign.write(tmp_path / 'data', recorded, discount=features.Scalar(np.float32))
  data.check()
  discounts = [step.discount.tolist() for step in _read(data)]
  assert discounts[:3] == [[1, 0, 0], [1, 1, 0, 0], [1, 1, 1, 1, 0]]
  np.testing.assert_allclose(discounts[3], [0.9] * 5 + [0])
  step = _read(data)[0]
  assert step.reward.tolist() == [1, 2, 0]
  assert step.action.tolist() == [5, 6, 0]
  assert step.first.tolist() == [True, False, False]
  assert step.last.tolist() == [False, False, True]
  assert step.extras == ()
  assert step.action.dtype == np.int32
  np.testing.assert_array_equal(step.observation, np.float32([[0], [1 / 3], [2 / 3]]))


def _without_final(terminal):
  """Two transitions and no final observation; the reward is in the last row alone."""
  return {**foreign.rows(1), 'reward': np.float32([0, 1]), 'is_last': [False, False], 'is_terminal': [False, terminal]}


@pytest.mark.parametrize('lacks_is_last', [False, True])
def test_a_last_row_of_which_nothing_is_said_has_to_be_told(tmp_path, lacks_is_last, caplog):
  left_out = {'is_last': None} if lacks_is_last else {}
  without = {**_without_final(terminal=False), 'reward': np.float32([3, 1])}
  data = foreign.write(tmp_path / 'data', [foreign.rows(2), without], **left_out)
  message = _message(data.check)
  assert 'The last row of episode 1' in message and 'say --dataset.last_row observation or' in message
  told = lambda **options: datasets.rlds(data.path, options=datasets.Options(**options))
  terminated = told(last_row='transition', ends='terminated')
  terminated.check()
  step = _read(terminated)[0]
  assert step.reward.tolist() == [3, 1, 0] and step.action.tolist() == [5, 6, 0]
  assert step.discount.tolist() == [1, 0, 0] and step.last.tolist() == [False, False, True]
  np.testing.assert_array_equal(step.observation, np.float32([[0], [1 / 3], [1 / 3]]))
  assert 'is_terminal says of an episode what --dataset.ends terminated overrules' in caplog.text
  step = _read(told(last_row='observation'))[0]
  assert step.reward.tolist() == [3, 0] and step.discount.tolist() == [1, 0]


def test_a_last_transition_that_led_nobody_knows_where_teaches_nothing(tmp_path, caplog):
  """Each return is 1. Bootstrapping from the last observation once more, discounted by 0.99, values went to 100."""
  rows = {**foreign.rows(3), 'reward': np.float32([0, 0, 1, 1]), 'is_last': [False] * 4, 'is_terminal': [False] * 4}
  data = foreign.write(
    tmp_path / 'data', [rows, {**rows, 'is_terminal': [False] * 3 + [True]}], discount=features.Scalar(np.float32)
  )
  told = lambda **options: datasets.rlds(data.path, options=datasets.Options(last_row='transition', **options))
  told().check()
  assert 'the last transition of an episode is left out' in caplog.text and 'ends terminated' in caplog.text
  truncated, terminated = _read(told())
  assert truncated.reward.tolist() == [0, 0, 1, 0] and truncated.discount.tolist() == [1, 1, 1, 0]
  assert terminated.reward.tolist() == [0, 0, 1, 1, 0] and terminated.discount.tolist() == [1, 1, 1, 0, 0]
  for step in (truncated, terminated):  # No transition that is bootstrapped from leads to where it began.
    followed = np.flatnonzero(step.discount[:-1])
    assert (step.observation[followed + 1] != step.observation[followed]).all()
  assert [len(step.last) for step in told(ends='truncated').episodes()] == [4, 4]
  assert [step.discount.tolist() for step in told(ends='terminated').episodes()] == [[1, 1, 1, 0, 0]] * 2
  alone = {name: values[:1] for name, values in rows.items() if name in foreign.FIELDS}
  data = foreign.write(tmp_path / 'alone', [alone])
  assert 'None of the 1 episodes' in _message(told().check)
  assert len(_read(told(ends='terminated'))) == 1
  by_discount = [{**rows, 'discount': np.float32([1, 1, 1, 0])}, rows]
  data = foreign.write(tmp_path / 'by', by_discount, is_terminal=None, discount=features.Scalar(np.float32))
  assert [len(step.last) for step in _read(told())] == [4, 5]


def test_a_transition_that_terminates_in_the_last_row(tmp_path):
  options = datasets.Options(last_row='transition')
  data = foreign.write(tmp_path / 'data', [_without_final(terminal=True)], options=options)
  (step,) = _read(data)
  assert step.reward.tolist() == [0, 1, 0] and step.discount.tolist() == [1, 0, 0]


def test_rewards_of_last_rows_do_not_get_lost_in_silence(tmp_path, caplog):
  only = {**foreign.rows(2), 'reward': np.float32([0, 0, 1])}
  data = foreign.write(tmp_path / 'only', [only])
  assert 'the last row of an episode holds the only reward (up to 1)' in (said := _message(data.check))
  assert '--dataset.last_row transition, and' in said
  options = datasets.Options(last_row='transition')
  assert _read(datasets.rlds(data.path, options=options))[0].reward.tolist() == [0, 0, 1, 0]
  foreign.write(tmp_path / 'some', [only, foreign.rows(2)]).check()
  assert 'the last row of an episode holds a reward (up to 1) that is left out' in caplog.text
  truncated = foreign.write(tmp_path / 'truncated', [{**only, 'is_terminal': [False] * 3}])
  assert 'transition (and --dataset.ends terminated, if it is a real end), and' in _message(truncated.check)
  told = datasets.rlds(truncated.path, options=options)
  assert 'holds the only reward (up to 1)' in (said := _message(told.check)) and 'say --dataset.ends termin' in said
  options = datasets.Options(last_row='transition', ends='terminated')
  datasets.rlds(truncated.path, options=options).check()


@pytest.mark.parametrize(
  'name, flags, row',
  [
    ('is_last', [False, True, True], 1),
    ('is_terminal', [True, False, True], 0),
    ('is_first', [True, False, True], 2),
  ],
)
def test_a_flag_in_the_middle_of_an_episode_is_told(tmp_path, name, flags, row):
  data = foreign.write(tmp_path / 'data', [foreign.rows(3), {**foreign.rows(2), name: flags}])
  message = _message(data.check)
  assert f'In row {row} of episode 1 of the data set {data.path}, {name} is true in the middle' in message
  assert 'damaged' not in message
  assert _message(lambda: list(data.episodes(0))) == message


def test_ends_without_is_terminal(tmp_path):
  recorded = [foreign.rows(2, discount=[1, 0, 0]), foreign.rows(3, discount=[1, 1, 1, 0])]
  data = foreign.write(tmp_path / 'discount', recorded, is_terminal=None, discount=features.Scalar(np.float32))
  assert not data.lacks
  assert [step.discount.tolist() for step in _read(data)] == [[1, 0, 0], [1, 1, 1, 0]]
  data = foreign.write(tmp_path / 'neither', recorded, is_terminal=None)
  assert data.lacks == ('discount',)
  for ends, discount in (('terminated', 0), ('truncated', 1)):
    told = datasets.rlds(data.path, options=datasets.Options(ends=ends))
    assert not told.lacks and [step.discount[-2] for step in _read(told)] == [discount] * 2


def test_an_episode_without_a_transition_is_left_out(tmp_path):
  recorded = [foreign.rows(0, False), foreign.rows(2), foreign.rows(0)]
  data = foreign.write(tmp_path / 'data', recorded)
  assert data.check().transitions == 2
  assert [len(step.last) for step in data.episodes(0)] == [3]
  empty = foreign.write(tmp_path / 'empty', recorded[::2])
  assert 'None of the 2 episodes of the data set' in (said := _message(empty.check)) and 'has a transition' in said


# Fields.


@pytest.mark.parametrize('name', ['observation', 'action'])
def test_a_missing_field_is_named(tmp_path, name):
  data = foreign.write(tmp_path / 'data', [foreign.rows(2)], **{name: None})
  assert f'its steps have no {name}, but ' in (said := _message(data.check)) and 'is_last' in said
  assert f'say --dataset.{name} NAME.' in said


def test_all_that_steps_lack_is_named_at_once(tmp_path):
  needed = dict.fromkeys(('observation', 'reward', 'is_last', 'is_terminal'))
  said = _message(foreign.write(tmp_path / 'data', [foreign.rows(2)], **needed).check)
  assert 'have no observation, no is_last, no reward, no is_terminal or discount, but action, is_first; ' in said
  assert 'say --dataset.observation NAME and --dataset.last_row observation or transition (' in said
  assert 'from rewards --dataset.reward NAME and --dataset.ends terminated or truncated.' in said
  options = datasets.Options(observation=('action',), last_row='observation')
  said = _message(lambda: datasets.fit(datasets.rlds(tmp_path / 'data', options=options), None, None))
  assert 'have no reward, no is_terminal or discount, and this agent' in said
  assert 'say --dataset.reward NAME and --dataset.ends terminated or truncated, or take' in said


def test_rewards_and_ends_may_be_missing(tmp_path):
  data = foreign.write(tmp_path / 'data', [foreign.rows(2)], reward=None, is_terminal=None)
  data.check()
  assert data.lacks == ('reward', 'discount')
  (step,) = data.episodes(0)
  assert step.reward.tolist() == [0, 0, 0] and step.discount.tolist() == [1, 1, 0]


def test_steps_that_are_a_sequence(tmp_path):
  recorded = [foreign.rows(2), foreign.rows(3)]
  data = foreign.write(tmp_path / 'data', recorded, steps=features.Sequence)
  data.check()
  assert [step.action.tolist() for step in _read(data)] == [[5, 6, 0], [5, 6, 7, 0]]


def test_vectors_that_are_sequences(tmp_path):
  """As envlogger writes vectors, and arrays of them."""
  recorded = [foreign.rows(1), foreign.rows(2)]
  values = np.arange(3 * 11, dtype=np.float32).reshape(3, 11)
  for episode in recorded:
    count = len(episode['action'])
    nested = np.arange(count * 6).reshape(count, 2, 3)
    episode['observation'] = {'vector': values[:count], 'open': values[:count, :4], 'nested': nested}
  nest = features.FeaturesDict(
    {
      'vector': features.Sequence(np.float32, length=11),
      'open': features.Sequence(np.float32),
      'nested': features.Sequence(features.Sequence(np.int64, length=3), length=2),
    }
  )
  data = foreign.write(tmp_path / 'data', recorded, observation=nest)
  data.check()
  shapes = {name: spec.shape for name, spec in data.spec().observation.items()}
  assert shapes == {'vector': (11,), 'open': (4,), 'nested': (2, 3)}
  step = _read(data)[1]
  np.testing.assert_array_equal(step.observation['vector'], values)
  np.testing.assert_array_equal(step.observation['open'], values[:, :4])
  np.testing.assert_array_equal(step.observation['nested'].ravel(), np.arange(18))


def test_a_shape_that_varies_is_named(tmp_path):
  recorded = dict(foreign.rows(1), observation=[[1.0], [1.0, 2.0]])
  data = foreign.write(tmp_path / 'data', [recorded], observation=features.Sequence(np.float32))
  message = _message(data.spec)
  assert 'steps/observation has sequences of 1 to 2 values' in message and 'damaged' not in message


def test_images_text_and_labels(tmp_path):
  recorded = [foreign.rows(t) for t in (1, 2)]
  for step in recorded:
    count = len(step['action'])
    frames = np.arange(count * 12).reshape(-1, 2, 2, 3).astype(np.uint8)
    step['observation'] = {
      'frame': frames,
      'any_size': frames,
      'depth': np.arange(count * 4, dtype=np.float32).reshape(-1, 2, 2, 1),
      'kind': np.arange(count) % 2,
      'words': ['left'] * count,
      'deeper': {'word': ['up'] * count, 'half': np.ones((count, 2), np.float16)},
    }
  nest = features.FeaturesDict(
    {
      'frame': features.Image(shape=(2, 2, 3), encoding_format='png'),
      'any_size': features.Image(encoding_format='png'),
      'depth': features.Image(shape=(2, 2, 1), dtype=np.float32),
      'kind': features.ClassLabel(num_classes=2),
      'words': features.Text(),
      'deeper': {'word': np.str_, 'half': features.Tensor(shape=(2,), dtype=np.float16, encoding='zlib')},
    }
  )
  data = foreign.write(tmp_path / 'data', recorded, observation=nest, language=features.Text())
  data.check()
  assert data.spec().observation == {
    'frame': dm_specs.Array((2, 2, 3), np.uint8),
    'any_size': dm_specs.Array((2, 2, 3), np.uint8),
    'depth': dm_specs.Array((2, 2, 1), np.float32),
    'kind': dm_specs.Array((), np.int32),
    'deeper': {'half': dm_specs.Array((2,), np.float16)},
  }
  assert list(data.left_out) == ['observation/deeper/word is text', 'observation/words is text']
  step = _read(data)[1]
  for name in ('frame', 'any_size', 'depth', 'kind'):
    np.testing.assert_array_equal(step.observation[name], recorded[1]['observation'][name])
  assert step.discount.tolist() == [1, 0, 0]


def test_metadata_of_episodes(tmp_path):
  metadata = {
    'seed': features.Scalar(np.int64),
    'policy': features.Text(),
    'of': {'place': np.str_, 'size': features.Tensor(shape=(2,), dtype=np.float32)},
  }
  recorded = [
    {**foreign.rows(t), 'seed': t, 'policy': f'p{t}', 'of': {'place': 'here', 'size': np.float32([t, 1])}}
    for t in (2, 0, 3)
  ]
  data = foreign.write(tmp_path / 'data', recorded, metadata=metadata)
  found = list(data.recorded())
  assert [one.number for one in found] == [0, 2] and [len(one.steps.last) for one in found] == [3, 4]
  assert found[1].metadata['seed'] == 3 and found[1].metadata['policy'] == 'p3'
  assert found[1].metadata['of/place'] == 'here' and found[1].metadata['of/size'].tolist() == [3, 1]


def test_ranges_say_where_values_are(tmp_path):
  strange = dict(foreign.rows(4), reward=np.float32([1, 2, np.nan, -8, 0]))
  data = foreign.write(tmp_path / 'data', [foreign.rows(2), strange])
  assert 'In row 2 of episode 1 of the data set' in (said := _message(data.check)) and 'reward is nan' in said
  ranges = datasets.Ranges('the data')
  for one in data.recorded():
    ranges.add(one.number, datasets.leaves(one.steps))
  reward = ranges.fields['reward']
  assert (ranges.episodes, ranges.transitions, reward.strange) == (2, 6, 1)
  assert (reward.lowest.value, reward.lowest.episode, reward.lowest.row) == (-8, 1, 3)
  assert (reward.highest.value, reward.highest.episode, reward.highest.row) == (2, 0, 1)
  assert ranges.fields['action'].highest.value == 8  # in the row of a final observation it means nothing
  assert len(list(ranges.faults())) == 1


def test_a_pass_over_all_episodes_takes_along_what_a_check_sees(tmp_path, caplog):
  only = {**foreign.rows(2), 'reward': np.float32([0, 0, 1])}
  data = foreign.write(tmp_path / 'data', [only, foreign.rows(3), foreign.rows(0)])
  look = data.look()
  assert len(list(data.recorded(look))) == 2
  found, checked = look.result(), data.check()
  assert (found.episodes, found.transitions) == (checked.episodes, checked.transitions) == (2, 5)
  for name, field in checked.fields.items():
    assert (found.fields[name].lowest, found.fields[name].highest) == (field.lowest, field.highest)
  (finding,) = look.findings()
  assert 'the last row of an episode holds a reward (up to 1) that is left out' in finding
  assert caplog.text.count(finding) == 1  # of the check
