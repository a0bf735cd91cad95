"""A py_test that runs one file of tests under pytest."""

def pytest_test(name, srcs, deps = [], tags = [], **kwargs):
    """Runs the tests in one file, without the slow ones; in a file of slow tests (tag "slow"), those.

    Args:
      name: the target.
      srcs: the file, alone.
      deps: what it imports.
      tags: as in py_test.
      **kwargs: as in py_test.
    """
    if len(srcs) != 1:
        fail("%s: one file of tests a target, not %d" % (name, len(srcs)))
    native.py_test(
        name = name,
        srcs = srcs + ["//bazel:run_pytest.py"],
        main = "//bazel:run_pytest.py",
        args = ["$(location %s)" % srcs[0]] + ([] if "slow" in tags else ["-m", "'not slow'"]),
        # pytest's options, and the versions of what comes with the interpreter: another lock, another test.
        data = ["//:pyproject.toml", "//requirements:dev.txt"],
        deps = deps,
        tags = tags,
        **kwargs
    )
