#!/usr/bin/env bash
# Makes .venv from the lock: `tools/set_up.sh environments` for what a run needs, `tools/set_up.sh dev` for the tests too.
# `tools/set_up.sh ray` makes .venv-ray, for runs on a Ray cluster, without what only tests need.
# `tools/set_up.sh uv` prints the path of a uv of the version below, which `make lock` needs: another would write the
# lock otherwise.
#
# The Makefile calls this. What it needs from the machine is a Python 3.10 and the package index.
set -euo pipefail
IFS=$'\n'  # paths may hold spaces
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly UV_VERSION=0.13.9
readonly UV_OLDEST=0.8.0  # an older one that is on the PATH is left alone
VENV=.venv
[[ "${1:-}" != ray ]] || VENV=.venv-ray
readonly VENV

# Python interpreters come from the machine: without this uv would try to download one.
export UV_PYTHON_DOWNLOADS=never
# These would point uv and Python at somebody else's environment.
unset VIRTUAL_ENV CONDA_PREFIX PYTHONHOME PYTHONPATH

fail() {
  echo "$1" >&2
  exit 1
}

# Whether $1 is a Python that runs (a shim of a version manager can be on the PATH and fail) and is a 3.10.
is_python_310() {
  "$1" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 10))' >/dev/null 2>&1
}

find_python_310() {
  local candidate
  for candidate in \
    $(type -ap python3.10 python3 python || true) \
    "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.10*/bin/python3.10 \
    "${XDG_DATA_HOME:-$HOME/.local/share}"/uv/python/cpython-3.10*/bin/python3.10; do
    if is_python_310 "$candidate"; then
      # The interpreter itself and not a shim for it: what a shim runs depends on the folder that it is called in.
      "$candidate" -c 'import os, sys; print(os.path.realpath(sys.executable))'
      return
    fi
  done
  # uv also knows of interpreters that it, conda or a distribution keeps elsewhere.
  local uv
  for uv in $(type -ap uv || true) .uv/bin/uv; do
    if candidate=$("$uv" python find --no-project --system 3.10 2>/dev/null) && is_python_310 "$candidate"; then
      echo "$candidate"
      return
    fi
  done
  return 1
}

# Prints the path of a uv that runs, and puts one of UV_VERSION into .uv/ if there is none. $1: 'exact' if only UV_VERSION
# will do. $2: a Python to make .uv/ with, if there is one.
find_uv() {
  local uv version python
  for uv in .uv/bin/uv $(type -ap uv || true); do
    version=$("$uv" --version 2>/dev/null | awk '{print $2}') || continue
    [[ -n "$version" ]] || continue
    if [[ "$version" == "$UV_VERSION" ]] || { [[ "$1" != exact ]] &&
      [[ "$(printf '%s\n' "$UV_OLDEST" "$version" | sort -V | head -1)" == "$UV_OLDEST" ]]; }; then
      echo "$uv"
      return
    fi
  done
  echo "Getting uv $UV_VERSION into .uv/" >&2
  # Any Python 3 will do. Debian's comes without ensurepip, so the next one is tried where a venv can't be made.
  for python in ${2:-} $(type -ap python3 python || true); do
    if "$python" -m venv --clear .uv >/dev/null 2>&1 &&
      .uv/bin/python -m pip install --quiet --disable-pip-version-check "uv==$UV_VERSION" >&2 &&
      .uv/bin/uv --version >/dev/null; then
      echo .uv/bin/uv
      return
    fi
  done
  return 1
}

readonly NO_UV="uv $UV_VERSION could not be installed: install it yourself (\`pip install uv==$UV_VERSION\`), so that \
\`uv --version\` works in this folder, and run the same command again."

if [[ "${1:-}" == uv ]]; then
  find_uv exact "$(find_python_310 || true)" || fail "$NO_UV"
  exit
fi

locks=("requirements/${1:?which lock: environments, dev or ray}.txt")
[[ "$1" != ray ]] || locks+=(requirements/environments.txt)
[[ "$(uname -sm)" == 'Linux x86_64' ]] ||
  fail "tfacme runs on Linux x86-64 and this is $(uname -sm): Launchpad and Reverb have no packages for it."

python=$(find_python_310) || fail "No Python 3.10 was found: install one (\`uv python install 3.10\`, \`pyenv install \
3.10\`, or the python3.10 of your distribution) and run the same command again."
uv=$(find_uv any "$python") || fail "$NO_UV"

if ! is_python_310 $VENV/bin/python; then
  echo "Making $VENV with $python"
  "$uv" venv --quiet --clear --no-project --python "$python" $VENV
fi

# Until this has ended well the environment is neither what one lock says nor what the other says.
rm -f $VENV/.environments $VENV/.dev $VENV/.ray
packages=$(cat "${locks[@]}" | grep '^[a-z].*==' | sort -u | wc -l)
echo "Installing $packages packages of $(printf '%s ' "${locks[@]}")into $VENV (2.7 GB the first time)"
seconds=$SECONDS
quiet=(--quiet)
[[ ! -t 2 ]] || quiet=()  # a person who waits wants to see the downloads
# Python writes bytecode where a module is imported for the first time. Where it is told not to (many containers do), each
# process would compile TensorFlow anew, which takes longer than importing it: then all of it is compiled here.
bytecode=()
[[ -z "${PYTHONDONTWRITEBYTECODE:-}" ]] || bytecode=(--compile-bytecode)
"$uv" pip sync ${quiet[@]+"${quiet[@]}"} ${bytecode[@]+"${bytecode[@]}"} --python $VENV/bin/python "${locks[@]}"
# The lock holds the setuptools to build with, so nothing that is not locked is fetched for it.
# Compatible: as a path. With a finder of its own a script in the folder above would import this checkout's folder.
"$uv" pip install --quiet --python $VENV/bin/python --no-deps --no-build-isolation \
  --config-settings editable_mode=compat --editable .
touch "$VENV/.$1"
echo "Installed in $((SECONDS - seconds)) s"
