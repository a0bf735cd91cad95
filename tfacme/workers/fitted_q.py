"""Fitted Q evaluation: how good a policy is, told by recorded data alone."""

from __future__ import annotations

import dataclasses
import itertools
import math
from typing import Any, Callable, Generator, Iterator, Mapping, NamedTuple, Optional, Sequence

import numpy as np
import tensorflow as tf
import tree

from tfacme import configs, core, errors, networks, specs, updates
from tfacme.replay import items, readers, recorded, resolving, sources
from tfacme.tensors import compiling
from tfacme.workers import export

# Makes columns for the row of an evaluation: from the steps of the run, yields None while it works, and them at last.
# It is closed where the run ends before.
Estimate = Callable[[int], Generator[Optional[Mapping[str, float]], None, None]]

_PIECE = 20  # gradient steps, or episodes, between two stops, in which a run may be interrupted
_WAIT_SECONDS = 1.0  # for data that are read ahead


@dataclasses.dataclass(frozen=True)
class FittedQ:
  """Estimates the value of a policy from recorded data, at each evaluation (Le et al. 2019).

  "Batch policy learning under constraints" evaluates so: a Q function is trained on transitions of the experiment's
  data, towards the reward and its own value of the action that the policy takes next. Here it follows a target network,
  in the place of one regression after the other. The estimate is the mean of its values of the policy's actions where
  recorded episodes begin: the column `fitted_q` of the evaluation's log, a discounted return, in which a truncated
  episode goes on. `fitted_q_change` is by how much it moved in the last tenth of its steps: one that still moves has
  not come to its end. `fitted_q_loss` is the squared error of its last batch, of returns that are scaled to about 1.

  Each estimate begins anew, so that it is a function of the policy, the data and the seed. It is the better the more of
  what a policy does is in the data.

  Attributes:
    steps: gradient steps of each estimate. With their product with target_update_rate and 1 - discount it comes nearer
      to where it ends: within 1% at 5.
    batch_size: transitions in each.
    discount: of the value (gamma).
    learning_rate: of Adam, from which it falls to 0.
    target_update_rate: the share of the way that the target goes in each gradient step.
    hidden_sizes: of the Q function's fully connected layers; None is (512,) if there are images and (256, 256) if not.
    initial_states: first observations of recorded episodes, at most, over which the estimate is averaged.
  """

  steps: int = 10_000
  batch_size: int = 256
  discount: float = 0.99
  learning_rate: float = 1e-3
  target_update_rate: float = 0.05
  hidden_sizes: Optional[Sequence[int]] = None
  initial_states: int = 1_000

  def __post_init__(self):
    for name in ('steps', 'batch_size', 'initial_states'):
      errors.count(f'{name} of fitted Q evaluation', getattr(self, name))
    errors.in_range('discount of fitted Q evaluation', self.discount, low=0, high=1)
    for name, high in (('learning_rate', None), ('target_update_rate', 1)):
      errors.in_range(f'{name} of fitted Q evaluation', getattr(self, name), above=0, high=high)

  def prepared(self, given: resolving.Given, policy: core.Policy) -> Prepared:
    """With the data that it reads; raises a `UserError` if it does not fit the run.

    Args:
      given: by the run.
      policy: the one that is evaluated.
    """
    if given.dataset is None:
      raise errors.UserError(
        'Fitted Q evaluation is of recorded data: give the experiment a dataset (--dataset), or leave it out.'
      )
    if tf.nest.flatten(policy.initial_state(1)):
      raise errors.UserError(
        'Fitted Q evaluation asks for single actions of a policy, and this one has a memory, or frames are stacked for '
        'it: leave fitted Q evaluation out.'
      )
    assert given.spec is not None
    specs.check_actions('Fitted Q evaluation', given.spec.actions)
    specs.check_scalar_reward('Fitted Q evaluation', given.spec.rewards)
    data = sources.Data(items.Items(length=2, observations='ends'), self.batch_size)
    return Prepared(self, resolving.resolve_data(data, given, ()))


@dataclasses.dataclass(frozen=True)
class Prepared:
  """What makes the estimates of a run; can be sent to the node that does.

  Attributes:
    options: what they are like.
    data: by which it learns.
  """

  options: FittedQ
  data: recorded.Recorded

  def make(self, policy: core.Policy, spec: specs.EnvironmentSpec, budget: int, seed: int) -> Estimate:
    """What estimates the value of a policy as its variables are when it is called.

    Args:
      policy: the one that is evaluated.
      spec: of the environment.
      budget: steps of the run.
      seed: of all that is random.
    """
    return _Estimator(self, export.ExportedPolicy(policy, spec, budget), spec, seed)


class _Starts(NamedTuple):
  """Where recorded episodes begin."""

  value: Callable[[], tf.Tensor]  # the mean of the Q function's values of the policy there
  scale: float  # of rewards, by which returns from there are about 1


class _Estimator:
  """Makes estimates; an `Estimate`."""

  def __init__(self, prepared: Prepared, policy: export.ExportedPolicy, spec: specs.EnvironmentSpec, seed: int):
    self._options, self._data = prepared.options, prepared.data
    self._policy, self._spec, self._seed = policy, spec, seed
    self._source = readers.open_source(self._data, readers.Resources(None, (), seed))
    self._begin = self._source.state()
    self._config = configs.NStepConfig(discount=self._options.discount)
    actions = networks.network_spec(spec.actions)
    with networks.seeded(seed):
      torso = networks.default_torso([spec.observations, actions], hidden_sizes=self._options.hidden_sizes)
      self._q = networks.Critic(torso)
      networks.create_variables(self._q, spec.observations, actions)
    self._target = updates.Target(self._q, rate=self._options.target_update_rate)
    falling = (self._options.learning_rate, 0.0, self._options.steps)
    self._optimizer = updates.Adam(self._q.trainable_variables, falling)
    learned = [self._q, self._target.network, self._optimizer]
    variables = {id(variable): variable for module in learned for variable in module.variables}
    self._values = compiling.Values(list(variables.values()))
    self._initial = self._values.read()
    numbers = [tf.TensorSpec([], tf.int32), tf.TensorSpec([], tf.float32)]
    self._learn = compiling.Compiled(self._step, [self._source.specs(), *numbers])
    self._starts: Optional[_Starts] = None

  def __call__(self, steps: int) -> Generator[Optional[Mapping[str, float]], None, None]:
    """See `Estimate`."""
    try:
      yield from self._estimated(steps)
    finally:
      self._source.set_state(self._begin)  # The next estimate is of the same batches; until then none is read ahead.

  def _estimated(self, steps: int) -> Iterator[Optional[Mapping[str, float]]]:
    self._policy.steps.assign(steps)
    self._values.write(self._initial)
    if self._starts is None:
      self._starts = yield from self._read_starts()
    starts = self._starts
    scale, loss, before = tf.constant(starts.scale, tf.float32), tf.constant(0.0), math.nan
    for step in range(self._options.steps):
      if step == self._options.steps * 9 // 10:
        before = float(starts.value())
      read = self._source.read(_WAIT_SECONDS, step)
      while isinstance(read, core.Blocked):
        yield None
        read = self._source.read(_WAIT_SECONDS, step)
      (loss,) = self._learn.flat([*tree.flatten(read.packed), tf.constant(step), scale])
      if step % _PIECE == 0:
        yield None
    value = float(starts.value())
    estimate, change = (x / starts.scale for x in (value, value - before))
    yield {'fitted_q': estimate, 'fitted_q_change': change, 'fitted_q_loss': float(loss)}

  def _step(self, packed: Any, step: tf.Tensor, scale: tf.Tensor) -> tf.Tensor:
    """One gradient step; the loss."""
    transition = updates.n_step_transition(self._source.unpack(packed), self._config)
    action = networks.from_environment(transition.action, self._spec.actions)
    following = self._act(transition.next_observation, self._options.batch_size, step)
    next_values = self._target(transition.next_observation, following)
    targets = scale * transition.returns + transition.discount * next_values
    loss = lambda: tf.reduce_mean((targets - self._q(transition.observation, action)) ** 2)
    value, _ = self._optimizer.minimize(loss)
    self._target.update()
    return value

  def _act(self, observation: core.Nest, batch_size: int, step: Any) -> core.Nest:
    """Actions of the policy, as networks see them."""
    seed = tf.stack([tf.constant(self._seed, tf.int32), tf.cast(step, tf.int32)])
    action, _ = self._policy.act(observation, self._policy.initial_state(batch_size), seed)
    return networks.from_environment(action, self._spec.actions)

  def _read_starts(self) -> Generator[None, None, _Starts]:
    """Looks at the first recorded episodes; yields None while it does."""
    firsts, returns = [], []
    for episode in itertools.islice(self._data.episodes(self._seed), self._options.initial_states):
      if len(firsts) % _PIECE == 0:
        yield None
      rewards = np.asarray(episode.reward[:-1], np.float64)
      firsts.append(tree.map_structure(lambda leaf: np.array(leaf[0]), episode.observation))  # No view of all of it.
      returns.append(float(rewards @ self._options.discount ** np.arange(len(rewards))))
    size = float(np.sqrt(np.mean(np.square(returns))))
    seen, count = tree.map_structure(lambda *leaves: tf.constant(np.stack(leaves)), *firsts), len(firsts)

    def value() -> tf.Tensor:
      return tf.reduce_mean(self._q(seen, self._act(seen, count, self._options.steps)))

    return _Starts(compiling.Compiled(value, []), 1.0 / size if size else 1.0)
