#!/bin/sh
# Install one pinned requirements file into /opt/venv of an image under construction: install.sh FILE.
# pip stays outside the environment; what no program needs at run time is dropped; byte code is compiled ahead, because
# containers run with a read-only root and may not write it.
set -eu
requirements=$1
venv=/opt/venv

python3 -m venv /opt/pip
python3 -m venv --without-pip "$venv"
/opt/pip/bin/pip --python "$venv/bin/python" install --quiet --disable-pip-version-check --no-input --no-compile \
    --no-deps --require-hashes --only-binary :all: --requirement "$requirements"

# The sources of clustertrigger lie beside the environment, so that they can change without it.
site=$("$venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
echo /opt/clustertrigger > "$site/clustertrigger.pth"

# Tests, headers and stubs: a third of the size of some packages.
find "$site" -type d \( -name tests -o -name test \) -prune -exec rm -rf {} +
find "$site" -type f \( -name '*.pyi' -o -name '*.pyx' -o -name '*.pxd' -o -name '*.h' -o -name '*.hpp' -o -name '*.c' -o -name '*.cpp' -o -name '*.a' \) \
    -delete
# Arrow's Flight RPC, which nothing here imports.
rm -rf "$site"/pyarrow/include "$site"/pyarrow/src "$site"/pyarrow/libarrow_flight* "$site"/pyarrow/_flight.*
rm -rf "$site"/matplotlib/mpl-data/sample_data

# unchecked-hash: valid whatever the files' times become on their way through image layers.
"$venv/bin/python" -m compileall -q --invalidation-mode unchecked-hash "$site"

# What was dropped must not be missed: import every package once, without numba's compiling.
NUMBA_DISABLE_JIT=1 "$venv/bin/python" - <<'END'
import importlib
import importlib.metadata

for package in sorted(importlib.metadata.packages_distributions()):
    if not package.startswith("_"):
        importlib.import_module(package)
END
