"""For tests of agents and environments, also of those outside this repository, and small environments for them.

    def test_my_agent(tmp_path):
      experiment = tfacme.Experiment(my_agent.Builder(...), testing.TwoStates, my_agent.default_networks(), ...)
      testing.check_agent(experiment, tmp_path)

`check_agent` is all checks together, which take a few runs of the experiment: give it a small budget. An environment is
looked at by `check_environment`, and with an agent in it by `check_training`; `tfacme check` is both. What this package
offers is in `__init__.pyi`; nothing here is needed by a run, and of tfacme only that command imports it.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
