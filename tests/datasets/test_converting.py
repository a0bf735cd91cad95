"""D4RL's HDF5, NumPy arrays and Minari's own format as RLDS data sets; the libraries write what is converted."""

import importlib.util

import numpy as np
import pytest
from dm_env import specs as dm_specs

from tfacme import core, datasets, errors, specs
from tfacme.datasets import converting
from tfacme.replay import recorded
from tfacme.replay.items import Items

h5py = pytest.importorskip('h5py', reason='D4RL files are written with h5py')


def _arrays(lengths, ends):
  """Transitions of episodes, in each of which observations count on from 100 times its number; rewards from 1."""
  columns = {name: [] for name in ('observations', 'next_observations', 'rewards', 'terminals', 'timeouts')}
  for number, (length, end) in enumerate(zip(lengths, ends), start=1):
    at = 100.0 * number + np.arange(length + 1)
    columns['observations'] += at[:-1].tolist()
    columns['next_observations'] += at[1:].tolist()
    columns['rewards'] += (1.0 + np.arange(length)).tolist()
    columns['terminals'] += [False] * (length - 1) + [end == 'terminal']
    columns['timeouts'] += [False] * (length - 1) + [end == 'timeout']
  arrays = {name: np.array(values) for name, values in columns.items()}
  arrays['observations'] = np.stack([arrays['observations'], -arrays['observations']], axis=1)
  arrays['next_observations'] = np.stack([arrays['next_observations'], -arrays['next_observations']], axis=1)
  arrays['actions'] = 0.5 * arrays['rewards'][:, None]
  return arrays


def _written(tmp_path, arrays, kind='hdf5'):
  path = str(tmp_path / f'made.{kind}')
  if kind == 'npz':
    np.savez(path, **arrays)
  else:
    with h5py.File(path, 'w') as file:
      for name, values in arrays.items():
        file.create_dataset(name, data=values)
      file.create_dataset('metadata/policy', data='a policy')
      file.create_dataset('infos/qpos', data=np.zeros((3, 2)))
  return path


def _read(path):
  """The episodes, in the order of their first observation."""
  return sorted(datasets.rlds(path).episodes(), key=lambda step: float(np.ravel(step.observation)[0]))


def _converted(tmp_path, arrays, kind='hdf5', **options):
  out = str(tmp_path / 'data')
  converting.convert(_written(tmp_path, arrays, kind), out, **options)
  return _read(out)


def _seen(steps):
  """(observations, rewards, whether it was terminated) of each episode."""
  return [(step.observation[:, 0].tolist(), step.reward[:-1].tolist(), not step.discount[-2]) for step in steps]


def _without(arrays, *names):
  return {name: values for name, values in arrays.items() if name not in names}


_ARRAYS = _arrays([3, 2, 2], ['terminal', 'timeout', 'timeout'])
_WHOLE = [
  ([100, 101, 102, 103], [1, 2, 3], True),
  ([200, 201, 202], [1, 2], False),
  ([300, 301, 302], [1, 2], False),
]
# The last transition of a truncated episode leads to nothing; what follows a terminal one means nothing.
_SHORT = [
  ([100, 101, 102, 102], [1, 2, 3], True),
  ([200, 201], [1], False),
  ([300, 301], [1], False),
]


@pytest.mark.parametrize('kind', ['hdf5', 'npz'])
def test_with_all_columns(tmp_path, kind):
  steps = _converted(tmp_path, _ARRAYS, kind)
  assert _seen(steps) == _WHOLE
  assert steps[0].action[:, 0].tolist() == [0.5, 1, 1.5, 0] and steps[0].action.dtype == np.float32
  assert steps[0].observation.shape == (4, 2)


def test_what_is_known_of_each_episode_becomes_its_metadata(tmp_path):
  source, out = _written(tmp_path, _ARRAYS, 'npz'), str(tmp_path / 'data')
  converting.convert(source, out)
  same = {'environment': '', 'dataset': 'made', 'source': source}
  assert [one.metadata for one in datasets.rlds(out).recorded()] == [
    {'return': 6, 'length': 3, **same},
    {'return': 3, 'length': 2, **same},
    {'return': 3, 'length': 2, **same},
  ]
  for where, found in ((['return>3'], _WHOLE[:1]), (['dataset=made', 'length<3'], _WHOLE[1:])):
    chosen = datasets.rlds(out, options=datasets.Options(where=where)).episodes()
    assert sorted(_seen(chosen)) == found


def test_without_next_observations(tmp_path, caplog):
  arrays = _arrays([3, 2, 2, 1], ['terminal', 'timeout', 'timeout', 'timeout'])
  assert _seen(_converted(tmp_path, _without(arrays, 'next_observations'))) == _SHORT
  for line in (
    '3 last transitions of truncated episodes',
    '1 truncated episodes, which have no other transition, are left out',
    '1 terminated episodes lack their final observation',
  ):
    assert f'made.hdf5 has no next_observations: {line}' in caplog.text


def test_without_timeouts(tmp_path, caplog):
  assert _seen(_converted(tmp_path, _without(_ARRAYS, 'timeouts'))) == _WHOLE
  assert 'made.hdf5: after 1 of 7 transitions an episode is cut because' in caplog.text


def test_next_observations_that_never_lead_to_the_row_after(tmp_path, caplog):
  """Rows in no order are transitions all the same, and it is said that there are no episodes."""
  steps = _converted(tmp_path, {**_ARRAYS, 'next_observations': _ARRAYS['next_observations'] + 0.5})
  assert [len(step.last) for step in steps] == [2] * 7
  assert 'made.hdf5: after 4 of 7 transitions an episode is cut because' in caplog.text


@pytest.mark.parametrize('kind', ['hdf5', 'npz'])
def test_a_line_tells_of_all_arrays_that_are_left_out(tmp_path, caplog, kind):
  others = {'log_probs': np.zeros(7), 'infos/qvel': np.array(['text'])} if kind == 'npz' else {}
  assert _seen(_converted(tmp_path, {**_ARRAYS, **others}, kind)) == _WHOLE
  told = 'infos/qvel, log_probs' if kind == 'npz' else 'infos/qpos, metadata/policy'
  assert f'Arrays of {tmp_path}/made.{kind} that are left out: {told}.' in caplog.text
  assert len(caplog.records) == 1


def test_without_both(tmp_path):
  arrays = _without(_ARRAYS, 'timeouts', 'next_observations')
  with pytest.raises(errors.UserError, match='neither timeouts nor next_observations'):
    _converted(tmp_path, arrays)
  assert not (tmp_path / 'data').exists()
  # Two steps a time after the terminal; the steps before a terminal one are fewer than three.
  assert _seen(_converted(tmp_path, arrays, max_episode_steps=3)) == [
    ([100, 101, 102, 102], [1, 2, 3], True),
    ([200, 201, 300], [1, 2], False),
  ]


@pytest.mark.parametrize('other', ['timeouts', 'next_observations'])
def test_what_the_data_say_of_ends_is_not_overruled(tmp_path, other):
  arrays = _without(_ARRAYS, *{'timeouts', 'next_observations'} - {other})
  with pytest.raises(errors.UserError, match=f'made.hdf5 has {other}, which .* leave --max-episode-steps out'):
    _converted(tmp_path, arrays, max_episode_steps=2)
  assert not (tmp_path / 'data').exists()


def test_shifted_timeouts(tmp_path, caplog):
  """A timeout that is set a step late does not make an episode of one step."""
  late = np.roll(_ARRAYS['timeouts'], 1)
  late[0] = False
  assert _seen(_converted(tmp_path, {**_ARRAYS, 'timeouts': late})) == _WHOLE
  assert 'lie a step beside the end of their episode' in caplog.text


def test_a_timeout_without_a_reset_cuts(tmp_path):
  arrays = _arrays([5], ['timeout'])
  arrays['timeouts'][1] = True
  assert _seen(_converted(tmp_path, arrays)) == [
    ([100, 101, 102], [1, 2], False),
    ([102, 103, 104, 105], [3, 4, 5], False),
  ]


def test_columns_of_other_forms(tmp_path):
  """Rewards and flags [N, 1], flags as real numbers, and observations that are a nest."""
  arrays = {name: values[:, None] if values.ndim == 1 else values for name, values in _ARRAYS.items()}
  arrays['terminals'] = arrays['terminals'].astype(np.float32)
  for name in ('observations', 'next_observations'):
    values = arrays.pop(name)
    arrays.update({f'{name}/x': values, f'{name}/frame': np.tile(values[:, :1, None] % 100, (2, 2)).astype(np.uint8)})
  for kind in ('hdf5', 'npz'):
    (tmp_path / kind).mkdir()
    converting.convert(_written(tmp_path / kind, arrays, kind), str(tmp_path / kind / 'data'))
    steps = sorted(
      datasets.rlds(str(tmp_path / kind / 'data')).episodes(), key=lambda step: float(step.observation['x'][0, 0])
    )
    assert [step.reward[:-1].tolist() for step in steps] == [rewards for _, rewards, _ in _WHOLE]
    assert [step.observation['x'][:, 0].tolist() for step in steps] == [seen for seen, _, _ in _WHOLE]
    assert steps[1].observation['frame'].dtype == np.uint8


def test_whole_numbers(tmp_path):
  arrays = {**_ARRAYS, 'actions': np.arange(7, dtype=np.int32), 'rewards': np.full(7, 2**40)}
  steps = _converted(tmp_path, arrays)
  assert steps[1].action.dtype == np.int32 and steps[1].action.tolist() == [3, 4, 0]
  assert steps[1].reward.tolist() == [2**40, 2**40, 0]


@pytest.mark.parametrize('kind', ['hdf5', 'npz'])
@pytest.mark.parametrize('large', [slice(3), slice(3, 5), slice(5, 7)], ids=['first', 'middle', 'last'])
def test_whole_numbers_that_32_bits_do_not_hold_may_be_in_any_episode(tmp_path, kind, large):
  actions = np.arange(7)
  actions[large] += 2**40
  observations, following = (1000 * _ARRAYS[name].astype(np.int64) for name in ('observations', 'next_observations'))
  observations[large], following[large] = observations[large] << 20, following[large] << 20
  arrays = {**_ARRAYS, 'actions': actions, 'observations': observations, 'next_observations': following}
  steps = _converted(tmp_path, arrays, kind)
  assert {leaf.dtype for step in steps for leaf in (step.action, step.observation)} == {np.dtype(np.int64)}
  steps.sort(key=lambda step: int(step.action[0]) % 2**40)
  assert [step.action.tolist() for step in steps] == [[*actions[:3], 0], [*actions[3:5], 0], [*actions[5:], 0]]
  for step, rows in zip(steps, (slice(3), slice(3, 5), slice(5, 7))):
    assert step.observation.tolist() == [*observations[rows].tolist(), following[rows][-1].tolist()]


def test_whole_numbers_of_64_bits_fit_an_environment_of_32_if_it_holds_them(tmp_path):
  number = dm_specs.Array((), np.float32)
  spec = specs.EnvironmentSpec(dm_specs.Array((2,), np.int32), dm_specs.DiscreteArray(9), number, number)
  arrays = {**_ARRAYS, 'actions': np.arange(7)}
  arrays.update({name: arrays[name].astype(np.int64) for name in ('observations', 'next_observations')})
  steps = _converted(tmp_path, arrays)
  data = datasets.rlds(str(tmp_path / 'data'))
  assert datasets.fit(data, None, spec) is data
  reader = recorded.DataReader(recorded.Recorded(Items(length=2), 7, data, 1 << 20, core.step_spec(spec)), seed=0)
  (read, _) = reader.codec.views(reader.read(60.0, 0).columns)
  reader.close()
  assert read.action.dtype == read.observation.dtype == np.int32
  assert sorted(read.action[:, 0].tolist()) == list(range(7))
  assert sorted(read.observation[:, 0, 0].tolist()) == sorted(v for s in steps for v in s.observation[:-1, 0].tolist())
  arrays['observations'][6] = 2**40
  (tmp_path / 'other').mkdir()
  _converted(tmp_path / 'other', arrays)
  with pytest.raises(errors.UserError, match=f'the observation is {2**40}, and the environment has int32, which does'):
    datasets.fit(datasets.rlds(str(tmp_path / 'other' / 'data')), None, spec)


@pytest.mark.parametrize(
  'column, row, value',
  [('rewards', 1, np.nan), ('observations', 1, np.nan), ('actions', 0, np.inf), ('next_observations', 2, -np.inf)],
)
def test_whole_episodes_that_are_not_finite_are_left_out(tmp_path, caplog, column, row, value):
  """What is no number ends no episode, and is found where it lies in the file."""
  arrays = dict(_ARRAYS, **{column: _ARRAYS[column].copy()})
  arrays[column][row] = value
  assert _seen(_converted(tmp_path, arrays)) == _WHOLE[1:]
  told = 'made.hdf5: 1 of 3 episodes, with 3 of 7 steps, hold a NaN or an infinity and are left out'
  assert f'{told}; the first is {value} in row {row} of {column}.' in caplog.text
  assert len(caplog.records) == 2  # and a line of arrays that are left out


def test_what_is_no_number_may_hide_an_end(tmp_path, caplog):
  """So nobody learns that the last observation of an episode led to the first of the next one."""
  arrays = dict(_without(_ARRAYS, 'timeouts'), next_observations=_ARRAYS['next_observations'].copy())
  arrays['next_observations'][4] = np.nan
  assert _seen(_converted(tmp_path, arrays)) == _WHOLE[:1]
  assert '1 of 2 episodes, with 4 of 7 steps, ' in caplog.text
  assert 'the first is nan in row 4 of next_observations.' in caplog.text


def test_not_a_finite_episode(tmp_path):
  with pytest.raises(errors.UserError, match='no episode in .* that can be learned from'):
    _fail(tmp_path, {**_ARRAYS, 'rewards': np.full(7, np.nan)})


def test_terminals_that_are_timeouts_too(tmp_path, caplog):
  """As old gym's `done` is, which says that an episode is over, and not how."""
  arrays = {**_ARRAYS, 'terminals': _ARRAYS['terminals'] | _ARRAYS['timeouts']}
  assert _seen(_converted(tmp_path, arrays)) == [(*one[:2], True) for one in _WHOLE]
  assert 'made.hdf5: 2 transitions are both terminals and timeouts, and count as terminals: ' in caplog.text


def _fail(tmp_path, arrays):
  converting.convert(_written(tmp_path, arrays), str(tmp_path / 'other'))


@pytest.mark.parametrize(
  ('arrays', 'message'),
  [
    (_without(_ARRAYS, 'terminals', 'actions'), 'has no actions and no terminals, but '),
    ({**_ARRAYS, 'actions': np.zeros((6, 1))}, r'actions of .* is of the shape \(6, 1\), and there are 7 rewards'),
    ({**_ARRAYS, 'actions': np.array([b'left'] * 7)}, 'actions of .* is of type'),
    (
      {**_ARRAYS, 'next_observations': np.zeros((7, 3))},
      r'next_observations of .* are \(7, 3\), and observations are \(7, 2\)',
    ),
    ({**_ARRAYS, 'rewards': np.zeros((7, 3))}, r'rewards of .* is of the shape \(7, 3\), and has to be \[N\] or'),
    ({**_ARRAYS, 'terminals': np.zeros((7, 3))}, r'terminals of .* is of the shape \(7, 3\), and has to be'),
    ({**_ARRAYS, 'timeouts': np.zeros((7, 2))}, r'timeouts of .* is of the shape \(7, 2\), and has to be'),
    ({**_ARRAYS, 'rewards': h5py.Empty('f4')}, r'rewards of .* is no array, and has to be'),
    (
      {**_ARRAYS, 'observations': h5py.Empty('f4')},
      r'observations of .* is of the shape \(\), and there are 7 rewards',
    ),
    ({**_ARRAYS, 'terminals': np.full(7, 0.5)}, 'terminals of .* hold 0.5, and have to be 0 or 1'),
    ({**_ARRAYS, 'timeouts': np.full(7, np.nan)}, 'timeouts of .* hold nan, and have to be 0 or 1'),
    ({name: values[:0] for name, values in _ARRAYS.items()}, 'has no transitions'),
    ({'episode_0': np.zeros(1)}, 'a part of a Minari data set'),
  ],
)
def test_mistakes(tmp_path, arrays, message):
  with pytest.raises(errors.UserError, match=message):
    _fail(tmp_path, arrays)
  assert not (tmp_path / 'other').exists() and not (tmp_path / 'other.incomplete').exists()


def test_files_that_are_none(tmp_path):
  for source in ('none.hdf5', 'none.npz', 'none'):
    with pytest.raises(errors.UserError, match=f'There is no file .*/{source}: give one of D4RL'):
      converting.convert(str(tmp_path / source), str(tmp_path / 'data'))
  for kind in ('hdf5', 'npz'):
    path = tmp_path / f'broken.{kind}'
    path.write_bytes(b'nothing of this kind')
    with pytest.raises(errors.UserError, match=f'broken.{kind} can not be read: '):
      converting.convert(str(path), str(tmp_path / 'data'))
  with open(tmp_path / 'single.npz', 'wb') as file:
    np.save(file, np.zeros(3))
  with pytest.raises(errors.UserError, match='single.npz holds a single array'):
    converting.convert(str(tmp_path / 'single.npz'), str(tmp_path / 'data'))
  np.savez(tmp_path / 'empty.npz')
  h5py.File(tmp_path / 'empty.hdf5', 'w').close()
  for kind in ('hdf5', 'npz'):
    with pytest.raises(errors.UserError, match=f'empty.{kind} holds no array, and has to hold observations, actions'):
      converting.convert(str(tmp_path / f'empty.{kind}'), str(tmp_path / 'data'))


def test_folders_that_are_not_of_minari(tmp_path):
  """They are known for what they are where Minari is not installed."""
  _converted(tmp_path, _ARRAYS)
  for source in (str(tmp_path / 'data'), 'tfds:d4rl/hopper'):
    with pytest.raises(errors.UserError, match=f'{source} is an RLDS data set already: give it as --dataset.'):
      converting.convert(source, str(tmp_path / 'other'))
  with pytest.raises(errors.UserError, match=f'The folder {tmp_path} is no data set of Minari: '):
    converting.convert(str(tmp_path), str(tmp_path / 'other'))


def test_an_array_within_an_array(tmp_path):
  part = {'observations/x': _ARRAYS['observations']}
  for arrays in ({**_ARRAYS, **part}, {**part, **_ARRAYS}):
    with pytest.raises(errors.UserError, match='The array observations.* lies within another array, or holds one'):
      _converted(tmp_path, arrays, 'npz')


_minari = pytest.mark.skipif(importlib.util.find_spec('minari') is None, reason='minari is not installed')


def test_minari_that_is_not_installed(tmp_path, monkeypatch):
  monkeypatch.setattr('tfacme.importing.installed', lambda package: False)
  with pytest.raises(errors.UserError, match=r'minari:a/b-v0 needs the package minari, .*with the extra data '):
    converting.convert('minari:a/b-v0', str(tmp_path / 'data'))


def _buffers(observation, **parts):
  """Two episodes of three and two steps, the first terminated, the second truncated; with other parts of each."""
  from minari.data_collector import EpisodeBuffer

  buffers = []
  for number, (length, terminal) in enumerate([(3, True), (2, False)]):
    observations = [observation(100 * number + t) for t in range(length + 1)]
    if isinstance(observations[0], dict):
      observations = {key: [o[key] for o in observations] for key in observations[0]}
    ends = [False] * (length - 1)
    own = {
      'observations': observations,
      'actions': [np.array([t, -t], np.float32) for t in range(length)],
      'rewards': [1.0 + t for t in range(length)],
      'terminations': [*ends, terminal],
      'truncations': [*ends, not terminal],
      'infos': {},
    }
    buffers.append(EpisodeBuffer(**{**own, **{part: make(length) for part, make in parts.items()}}))
  return buffers


def _minari_data(name, space, observation, **parts):
  import gymnasium
  import minari

  action_space = gymnasium.spaces.Box(-10, 10, (2,), np.float32)
  minari.create_dataset_from_buffers(
    name, _buffers(observation, **parts), observation_space=space, action_space=action_space, data_format='hdf5'
  )


@_minari
def test_minari(tmp_path, monkeypatch):
  from gymnasium import spaces

  monkeypatch.setenv('MINARI_DATASETS_PATH', str(tmp_path / 'minari'))
  space = spaces.Dict(x=spaces.Box(-1e3, 1e3, (2,), np.float64), n=spaces.Discrete(500), name=spaces.Text(10))
  _minari_data('made/numbers-v0', space, lambda t: {'x': np.array([t, -t], float), 'n': t, 'name': 'here'})
  folder = str(tmp_path / 'minari' / 'made' / 'numbers-v0')
  for source in ('minari:made/numbers-v0', folder):
    out = str(tmp_path / source.replace('/', '-'))
    assert converting.convert(source, out) == (2, 5)
    first, second = sorted(datasets.rlds(out).episodes(), key=lambda step: float(step.observation['x'][0, 0]))
    assert set(first.observation) == {'x', 'n'}
    assert first.observation['x'][:, 0].tolist() == [0, 1, 2, 3] and second.observation['n'].tolist() == [100, 101, 102]
    assert first.action.tolist() == [[0, 0], [1, -1], [2, -2], [0, 0]] and first.reward.tolist() == [1, 2, 3, 0]
    assert first.discount.tolist() == [1, 1, 0, 0] and second.discount.tolist() == [1, 1, 0]
    told = [one.metadata for one in datasets.rlds(out).recorded()]
    same = {'environment': '', 'dataset': 'made/numbers-v0', 'source': source}
    assert told == [{'return': 6, 'length': 3, **same}, {'return': 3, 'length': 2, **same}]
  with pytest.raises(errors.UserError, match='leave --max-episode-steps out'):
    converting.convert(folder, str(tmp_path / 'no'), max_episode_steps=5)
  (tmp_path / 'minari/made/numbers-v0/data/main_data.hdf5').write_bytes(b'nothing of this kind')
  with pytest.raises(errors.UserError, match='The Minari data set made/numbers-v0 can not be read: '):
    converting.convert(folder, str(tmp_path / 'no'))


@_minari
def test_whole_numbers_of_minari_that_32_bits_do_not_hold(tmp_path, monkeypatch):
  from gymnasium import spaces

  monkeypatch.setenv('MINARI_DATASETS_PATH', str(tmp_path / 'minari'))
  large = lambda t: np.array([t + (t >= 100) * 2**40])  # in the second episode
  _minari_data('made/large-v0', spaces.Box(0, 2**50, (1,), np.int64), large)
  converting.convert('minari:made/large-v0', str(tmp_path / 'data'))
  assert [step.observation[:, 0].tolist() for step in _read(str(tmp_path / 'data'))] == [
    [0, 1, 2, 3],
    [2**40 + t for t in (100, 101, 102)],
  ]


@_minari
@pytest.mark.parametrize('side', [8, 40])
def test_frames_of_minari(tmp_path, monkeypatch, side):
  """JPEG changes them, and those of small ones come as the bytes of a file."""
  from gymnasium import spaces

  monkeypatch.setenv('MINARI_DATASETS_PATH', str(tmp_path / 'minari'))
  frame = lambda t: np.full((side, side, 3), t, np.uint8)
  _minari_data('made/frames-v0', spaces.Box(0, 255, (side, side, 3), np.uint8), frame)
  converting.convert('minari:made/frames-v0', str(tmp_path / 'data'))
  first, second = _read(str(tmp_path / 'data'))
  assert first.observation.shape == (4, side, side, 3) and first.observation.dtype == np.uint8
  for step, start in ((first, 0), (second, 100)):
    expected = np.broadcast_to((start + np.arange(len(step.last)))[:, None, None, None], step.observation.shape)
    np.testing.assert_allclose(step.observation, expected, atol=3)


@_minari
def test_what_is_left_out_of_minari(tmp_path, monkeypatch, caplog):
  from gymnasium import spaces

  monkeypatch.setenv('MINARI_DATASETS_PATH', str(tmp_path / 'minari'))
  _minari_data(
    'made/lost-v0',
    spaces.Box(-1e3, 1e3, (1,), np.float64),
    lambda t: np.array([t], float),
    infos=lambda length: {'qpos': np.zeros(length + 1), 'speed': np.zeros(length + 1)},
    terminations=lambda length: [length == 3] * length,
  )
  converting.convert('minari:made/lost-v0', str(tmp_path / 'data'))
  assert [len(step.last) for step in _read(str(tmp_path / 'data'))] == [3]
  assert 'Episodes of made/lost-v0 that are terminated before their last step are left out: 1.' in caplog.text
  assert 'Infos of made/lost-v0 that are left out: qpos, speed.' in caplog.text


@_minari
def test_an_episode_of_minari_that_is_not_finite_is_left_out(tmp_path, monkeypatch, caplog):
  from gymnasium import spaces

  monkeypatch.setenv('MINARI_DATASETS_PATH', str(tmp_path / 'minari'))
  space = spaces.Dict(x=spaces.Box(-np.inf, np.inf, (2,), np.float64))
  _minari_data('made/nan-v0', space, lambda t: {'x': np.array([t, np.nan if t == 101 else t])})
  assert converting.convert('minari:made/nan-v0', str(tmp_path / 'data')) == (1, 3)
  told = 'minari:made/nan-v0: 1 of 2 episodes, with 2 of 5 steps, hold a NaN or an infinity and are left out'
  assert f'{told}; the first is nan in row 1 of observation/x of episode 1.' in caplog.text


@_minari
@pytest.mark.parametrize(
  'parts, message',
  [
    ({'rewards': lambda length: [np.zeros(3)] * length}, r'rewards of made/b-v0 is of the shape \(3, 3\)'),
    ({'observations': lambda length: [np.zeros(2)] * length}, r'observation of .* is \(3, 2\), and has to be \(4, 2\)'),
    ({'actions': lambda length: [np.zeros(3)] * length}, r'action of .* is \(3, 3\), and has to be \(3, 2\)'),
  ],
)
def test_shapes_of_minari(tmp_path, monkeypatch, parts, message):
  from gymnasium import spaces

  monkeypatch.setenv('MINARI_DATASETS_PATH', str(tmp_path / 'minari'))
  _minari_data('made/b-v0', spaces.Box(-1e3, 1e3, (2,), np.float64), lambda t: np.array([t, t], float), **parts)
  with pytest.raises(errors.UserError, match=message):
    converting.convert('minari:made/b-v0', str(tmp_path / 'data'))
