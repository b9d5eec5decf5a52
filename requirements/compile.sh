#!/bin/sh
# Resolve pyproject.toml into exact versions with hashes, for every platform and Python >= 3.11 at once.
# dev first; the images then take the same versions, so that what was tested is what ships.
set -eu
cd "$(dirname "$0")/.."
uv=${UV:-.venv/bin/uv}

compile() {
    echo "requirements: resolving $1" >&2
    target=$1
    source=$2
    shift 2
    # --no-config and no PIP_*/UV_* index: hashes come from the public registry, not from a mirror's own builds.
    env -u UV_INDEX -u UV_INDEX_URL -u UV_DEFAULT_INDEX -u UV_EXTRA_INDEX_URL -u UV_FIND_LINKS \
        "$uv" pip compile "$source" "$@" --quiet --no-config --universal --python-version 3.11 --generate-hashes \
        --no-emit-index-url --no-emit-find-links --custom-compile-command "make requirements" \
        --output-file "requirements/$target.txt" ${UPGRADE:+--upgrade}
}

compile dev pyproject.toml --extra dev
compile operator pyproject.toml --extra operator --extra api --constraint requirements/dev.txt
compile worker pyproject.toml --extra worker --constraint requirements/dev.txt
compile spark pyproject.toml --extra spark --constraint requirements/dev.txt
compile cli pyproject.toml --extra cli --constraint requirements/dev.txt
compile docs requirements/docs.in
