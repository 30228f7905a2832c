#!/usr/bin/env bash
# zod 4.6.7 (npm): the JSON Schema of `z.string().startsWith('id-')`, `.endsWith`, `.includes` and `.lowercase()`.
#
# Expected: a `pattern` alone, for JSON Schema has no format of that kind.
# Seen: a `pattern` and beside it a `format` that no dialect has: `starts_with`, `ends_with`, `includes`, `lowercase`. A reader
#   that refuses unknown formats (ajv in its strict mode) refuses the schema, and one that takes any `format` for a hint how to
#   show the field has a hint that nobody knows.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --ignore-scripts --no-audit --no-fund --silent zod@4.6.7 >/dev/null
cat > seen.mjs <<'JS'
import { z } from 'zod';
for (const type of [z.string().startsWith('id-'), z.string().endsWith('.pdf'), z.string().includes('@'), z.string().lowercase()]) {
    const { format, pattern } = z.toJSONSchema(type);
    console.log(format, pattern);
}
JS
seen=$(node seen.mjs)
echo "$seen"
[ "$seen" = 'starts_with ^id-.*
ends_with .*\.pdf$
includes @
lowercase ^[^A-Z]*$' ]
