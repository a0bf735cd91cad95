"""What ranks recorded actions above all others, those most that led to much (Gulcehre et al. 2021, R-BVE).

Values of actions that nobody took are what a network makes up. Where data hold one action for most states, the highest
value may well be one of those; whoever ranks acts by the data there, and by the values where several were taken:

    loss = ranking.Ranked(q_learning.Sarsa(), weight=1.0, margin=0.05)

Of the paper only the abstract was at hand, which has a ranking term in favour of recorded actions that led to success.
That it is a squared hinge, weighted by an exponential of normalized returns, is second-hand and not confirmed; how
returns are normalized here (`weights_by_return`) is our choice, and no margin or weight of the paper's is known to us.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import tensorflow as tf

from tfacme import errors
from tfacme.losses import policy_gradient, q_learning, values


def hinge(q: tf.Tensor, action: tf.Tensor, margin: float) -> tf.Tensor:
  """How far other actions are above the recorded one: sum_{i != a} max(Q(s, i) - Q(s, a) + margin, 0)^2.

  It is 0 where the recorded action's value is above each other one by the margin. Where it is not, its gradient raises
  that value and lowers the others.

  Args:
    q: [..., A], the values of all actions; `networks.ILLEGAL` of those that are none.
    action: integer [...], the recorded one.
    margin: nu, in units of the values.

  Returns:
    The penalties [...].
  """
  excess = tf.maximum(q - values.of_actions(q, action)[..., tf.newaxis] + margin, 0.0)
  others = tf.one_hot(tf.cast(action, tf.int32), q.shape[-1], on_value=0.0, off_value=1.0, dtype=q.dtype)
  return tf.reduce_sum(others * excess**2, axis=-1)


def weights_by_return(returns: tf.Tensor) -> tf.Tensor:
  """How much recorded actions count by what came of them: exp(z) over its mean, where z are standardized returns.

  So they neither depend on the unit of rewards nor, on the whole, make a loss larger: their mean is 1, the highest is
  at most B, and all are 1 where all returns are the same.

  Args:
    returns: [B], those that followed.

  Returns:
    The weights [B], through which no gradient flows.
  """
  standardized = policy_gradient.standardize(returns, tf.ones_like(returns))
  return tf.stop_gradient(tf.cast(tf.size(returns), returns.dtype) * tf.nn.softmax(standardized))


@dataclasses.dataclass(frozen=True)
class Ranked:
  """A variant of Q-learning with the ranking added to it, weighted by returns; a `q_learning.QLoss`.

  Attributes:
    loss: the variant.
    weight: how much the ranking counts beside its loss.
    margin: how far recorded actions are to be above others, in units of the values.
  """

  loss: q_learning.QLoss
  weight: float
  margin: float

  def __call__(self, online: Any, target: Any, transition: Any) -> q_learning.Losses:
    """See `q_learning.Losses`; a metric is the mean `ranking`, without its weight.

    Raises:
      errors.UserError: if the transitions have no returns.
    """
    if 'return_to_go' not in transition.extras:
      raise errors.UserError(
        'Ranking actions by what came of them needs the returns: have the builder give '
        '`relabelling.returns_to_go(discount)` in `relabel`.'
      )
    losses = q_learning.evaluate(self.loss, online, target, transition)
    penalties = hinge(online(transition.observation), transition.action, self.margin)
    penalties *= weights_by_return(transition.extras['return_to_go'])
    metrics = {**losses.metrics, 'ranking': tf.reduce_mean(penalties)}
    return losses._replace(loss=losses.loss + self.weight * penalties, metrics=metrics)
