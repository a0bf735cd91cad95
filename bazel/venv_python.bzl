"""The Python of .venv as Bazel's Python toolchain."""

_BUILD = """
load("@bazel_tools//tools/python:toolchain.bzl", "py_runtime_pair")

package(default_visibility = ["//visibility:public"])

py_runtime(
    name = "python3",
    interpreter_path = "{interpreter}",
    python_version = "PY3",
    # Bazel's launcher of a test runs under this and starts the interpreter above. Left alone it would look for `python`,
    # which Debian has not.
    stub_shebang = "#!{interpreter}",
)

py_runtime_pair(
    name = "runtimes",
    py3_runtime = ":python3",
)

toolchain(
    name = "toolchain",
    toolchain = ":runtimes",
    toolchain_type = "@bazel_tools//tools/python:toolchain_type",
)
"""

def _venv_python_impl(repository):
    interpreter = repository.os.environ.get("TFACME_PYTHON")
    if not interpreter:
        fail("TFACME_PYTHON has to be the path of .venv/bin/python: `make bazel-test` sets it.")
    repository.file("WORKSPACE", "workspace(name = \"%s\")\n" % repository.name)
    repository.file("BUILD", _BUILD.format(interpreter = interpreter))

venv_python = repository_rule(
    implementation = _venv_python_impl,
    doc = "The interpreter that the environment variable TFACME_PYTHON names, as a toolchain.",
    environ = ["TFACME_PYTHON"],
    local = True,
)
