#!/usr/bin/env bash
# @modelcontextprotocol/sdk 1.32.2 (npm) with zod 4.6.7: a tuple in a form of `elicitInput`.
#
# Expected: MCP's default dialect is JSON Schema 2020-12, and the schema names it in `$schema`, so `["a", "b"]` is valid for
#   what `z.toJSONSchema` writes of `z.tuple([z.literal('a'), z.string()])`: `prefixItems` of two and `items: false`.
# Seen: the SDK's validator compiles every schema as draft 7, where `prefixItems` is unknown and `items: false` refuses every
#   item. It ignores `$schema`, and refuses each answer: `data/value/0 boolean schema is false`.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --ignore-scripts --no-audit --no-fund --silent @modelcontextprotocol/sdk@1.32.2 zod@4.6.7 >/dev/null
cat > seen.mjs <<'JS'
import { AjvJsonSchemaValidator } from '@modelcontextprotocol/sdk/validation/ajv';
import { z } from 'zod';
const schema = z.toJSONSchema(z.object({ value: z.tuple([z.literal('a'), z.string()]) }));
console.log(JSON.stringify(schema));
console.log(new AjvJsonSchemaValidator().getValidator(schema)({ value: ['a', 'b'] }).errorMessage ?? 'valid');
JS
seen=$(node seen.mjs)
echo "$seen"
grep -q 'https://json-schema.org/draft/2020-12/schema' <<<"$seen"
grep -q 'data/value/0 boolean schema is false' <<<"$seen"
