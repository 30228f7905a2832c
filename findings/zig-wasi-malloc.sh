#!/usr/bin/env bash
# zig 0.17.1 (PyPI ziglang): malloc on wasm32-wasi does not use the memory that the linker reserved.
#
# Expected: a module linked with `--initial-memory=1048576` serves its first small allocations from the free part of that
#   megabyte, as WASI's C library does with clang, so that they need no `memory.grow`.
# Seen: zig links a malloc of its own, which gives each of its size classes a page of 64 KiB by `memory.grow`: five small
#   allocations of different sizes grow the memory three times, and the reserved heap stays unused.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check --only-binary :all: ziglang==0.17.1
export ZIG_GLOBAL_CACHE_DIR="$folder/cache" ZIG_LOCAL_CACHE_DIR="$folder/cache"

cat > a.c <<'C'
#include <stdlib.h>
__attribute__((export_name("allocate"))) void *allocate(size_t size) { return malloc(size); }
C
venv/bin/python-zig cc --target=wasm32-wasi -Os -mexec-model=reactor -Wl,-z,stack-size=131072 -Wl,--initial-memory=1048576 a.c -o a.wasm
cat > a.mjs <<'JS'
import fs from 'fs';
const { instance } = await WebAssembly.instantiate(fs.readFileSync('a.wasm'));
const { allocate, memory } = instance.exports;
const pages = () => memory.buffer.byteLength / 65536;
const seen = [pages()];
for (const size of [10, 50, 100, 500, 1000]) { allocate(size); seen.push(pages()); }
console.log(seen.join(' '));
JS
seen=$(node a.mjs)
echo "pages of memory before and after allocations of 10, 50, 100, 500 and 1000 bytes: $seen"
[ "$seen" = "16 17 18 18 19 19" ]
