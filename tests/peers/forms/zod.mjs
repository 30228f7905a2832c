// Forms as zod writes them, and the verdicts of zod and of the TypeScript SDK's own validator on answers.
//
// `node zod.mjs FOLDER forms` prints the forms, a JSON list of objects with `generator`, `name` and `schema`;
// `node zod.mjs FOLDER judge` reads a list of objects with `generator`, `name` and `content` and prints a list of verdicts:
// null, or why the content was refused. FOLDER is the one that holds `node_modules`.

import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

const modules = join(resolve(process.argv[2]), 'node_modules');
const load = path => import(pathToFileURL(join(modules, path)));
const { z } = await load('zod/index.js');
const { AjvJsonSchemaValidator } = await load('@modelcontextprotocol/sdk/dist/esm/validation/ajv-provider.js');
const version = JSON.parse(readFileSync(join(modules, 'zod/package.json'), 'utf8')).version;

const Native = { Red: 'red', Green: 'green' };
const Numeric = { Low: 1, High: 2 };
const fields = {
    text: z.string(),
    optional: z.string().optional(),
    nullable: z.string().nullable(),
    nullish: z.string().nullish(),
    default: z.string().default('Grace'),
    default_number: z.number().default(0.5),
    default_flag: z.boolean().default(false),
    length: z.string().min(5).max(8),
    exact: z.string().length(6),
    nonempty: z.string().nonempty(),
    regex: z.string().regex(/^[A-Z]{2}-\d{4}$/),
    regex_long: z.string().regex(/^[a-z]+$/).min(12),
    starts: z.string().startsWith('id-'),
    ends: z.string().endsWith('.pdf'),
    includes: z.string().includes('@'),
    starts_and_ends: z.string().startsWith('a').endsWith('z'),
    password: z.string().min(8).regex(/^(?=.*[A-Z])(?=.*\d).+$/),
    lower: z.string().toLowerCase(),
    lowercase: z.string().lowercase(),
    uppercase: z.string().uppercase(),
    email: z.email(),
    email_old: z.string().email(),
    url: z.url(),
    http: z.httpUrl(),
    uuid: z.uuid(),
    guid: z.guid(),
    uuidv4: z.uuidv4(),
    date: z.iso.date(),
    date_time: z.iso.datetime(),
    date_time_offset: z.iso.datetime({ offset: true }),
    time: z.iso.time(),
    duration: z.iso.duration(),
    ipv4: z.ipv4(),
    ipv6: z.ipv6(),
    cidrv4: z.cidrv4(),
    base64: z.base64(),
    base64url: z.base64url(),
    e164: z.e164(),
    nanoid: z.nanoid(),
    cuid: z.cuid(),
    cuid2: z.cuid2(),
    ulid: z.ulid(),
    emoji: z.emoji(),
    jwt: z.jwt(),
    hostname: z.hostname(),
    hex: z.hex(),
    template: z.templateLiteral(['v', z.number().int(), '.', z.enum(['a', 'b'])]),
    number: z.number(),
    int: z.int(),
    int_old: z.number().int(),
    int32: z.int32(),
    uint32: z.uint32(),
    float32: z.float32(),
    positive: z.number().positive(),
    negative: z.number().negative(),
    int_positive: z.number().int().positive(),
    nonnegative: z.number().int().nonnegative(),
    between: z.number().gt(0).lt(1),
    range: z.number().min(3).max(7),
    multiple: z.number().int().multipleOf(5).gt(10),
    step: z.number().multipleOf(0.25).min(0.6),
    flag: z.boolean(),
    flag_nullable: z.boolean().nullable(),
    enum: z.enum(['red', 'green']),
    enum_default: z.enum(['red', 'green']).default('green'),
    enum_optional: z.enum(['red', 'green']).optional(),
    enum_nullable: z.enum(['red', 'green']).nullable(),
    enum_native: z.enum(Native),
    enum_numeric: z.enum(Numeric),
    literal: z.literal('only'),
    literal_number: z.literal(5),
    literal_true: z.literal(true),
    literals: z.literal(['a', 'b']),
    literals_mixed: z.literal(['a', 1]),
    union_literals: z.union([z.literal('a'), z.literal('b')]),
    union_titled: z.union([z.literal('a').meta({ title: 'A' }), z.literal('b').meta({ title: 'B' })]),
    union_numbers: z.union([z.literal(1), z.literal(2)]),
    union_types: z.union([z.string().min(4), z.number()]),
    intersection: z.intersection(z.string().min(4), z.string().max(6)),
    described: z.string().describe('As on the card').meta({ title: 'Your name', examples: ['Grace'] }),
    texts: z.array(z.string()),
    texts_bounded: z.array(z.string()).min(2).max(3),
    enums: z.array(z.enum(['a', 'b', 'c'])),
    enums_two: z.array(z.enum(['a', 'b', 'c'])).length(2),
    emails: z.array(z.email()).nonempty(),
    tuple: z.tuple([z.literal('a'), z.string()]),
    any: z.any(),
    unknown: z.unknown(),
    catch: z.string().catch('Ada'),
    readonly: z.string().readonly(),
    prefault: z.string().prefault('Ada'),
    branded: z.string().brand('Name')
};

const forms = [];
for (const [name, field] of Object.entries(fields)) {
    for (const target of ['draft-2020-12', 'draft-7', 'draft-4']) {
        // Draft 4 writes bounds in a way of its own, and everything else alike.
        if (target === 'draft-4' && !['positive', 'between', 'literal', 'range', 'enum'].includes(name)) continue;
        if (target === 'draft-7' && !['positive', 'tuple', 'nullable', 'email', 'int'].includes(name)) continue;
        const model = z.object({ value: field });
        const schema = z.toJSONSchema(model, { target, io: 'input' });
        forms.push({ generator: `zod ${version}`, name: `${name} (${target})`, schema, model });
    }
}
const profile = z.object({
    name: z.string().min(1).max(40),
    age: z.number().int().min(0).max(150),
    color: z.enum(['red', 'green']),
    email: z.email().optional(),
    tags: z.array(z.enum(['a', 'b'])).default([]),
    newsletter: z.boolean().default(true)
});
forms.push({ generator: `zod ${version}`, name: 'profile', schema: z.toJSONSchema(profile, { io: 'input' }), model: profile });
const strict = z.strictObject({ name: z.string() });
forms.push({ generator: `zod ${version}`, name: 'strict', schema: z.toJSONSchema(strict), model: strict });

if (process.argv[3] === 'forms') {
    console.log(JSON.stringify(forms.map(({ generator, name, schema }) => ({ generator, name, schema }))));
} else {
    const validator = new AjvJsonSchemaValidator();
    const rows = JSON.parse(readFileSync(0, 'utf8'));
    const verdicts = rows.map(({ name, content }) => {
        const form = forms.find(form => form.name === name);
        const parsed = form.model.safeParse(content);
        if (!parsed.success) return `zod: ${parsed.error.message}`;
        // The SDK's validator reads every dialect as draft 7: flags as bounds, and the tuples of 2020-12, mean something else.
        if (name.includes('draft-4') || name.startsWith('tuple')) return null;
        const held = validator.getValidator(form.schema)(content);
        return held.valid ? null : `SDK: ${held.errorMessage}`;
    });
    console.log(JSON.stringify(verdicts));
}
