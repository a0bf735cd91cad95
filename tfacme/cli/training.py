"""The options of `tfacme train`, which other commands take as well that prepare a run of it."""

from __future__ import annotations

from typing import Any, Sequence, Type

from tfacme import errors
from tfacme.agents import registry
from tfacme.cli import options as options_lib
from tfacme.cli import parsing


def parse(
  agent: str, arguments: Sequence[str], kind: Type[options_lib.TrainOptions], command: str, **parts: Any
) -> Any:
  """Reads the options of an agent's run, `--config` and `--networks` included.

  Args:
    agent: its name.
    arguments: the options.
    kind: the dataclass of all of them but the agent's own.
    command: what the user has called, such as `tfacme train`.
    **parts: dataclasses whose fields are options too, `--NAME.FIELD`.

  Raises:
    errors.UserError: for an option or value that is wrong, or that the agent has no use for.
  """
  parts.update(config=registry.config(agent), networks=registry.default_networks(agent))
  options = parsing.parse(options_lib.with_parts(kind, parts), arguments, prog=f'{command} {agent}')
  acts = options.start is not None or options.prefill or options.dataset_share is not None
  if agent in registry.names() and registry.about(agent).recorded and options.learner_steps is None and not acts:
    what = 'give it some (--dataset DIR), and say' if not options.dataset else 'say'
    raise errors.UserError(
      f'{agent} learns from recorded data: {what} how long to learn (--learner-steps N), in the place of --steps.'
    )
  return options
