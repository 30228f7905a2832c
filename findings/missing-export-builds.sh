#!/usr/bin/env bash
# componentize-qjs 0.4.3
#
# Expected: a module without a function that its world exports is not built, as componentize-py refuses a module without
#           the class of an exported interface.
# Seen:     the build ends with exit code 0 and makes a component that exports the function all the same, so that nothing says
#           so before the first call. An interface that is exported is treated alike.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT; cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund componentize-qjs@0.4.3
cat > world.wit <<'WIT'
package a:b;
interface parting {
    farewell: func() -> string;
}
world w {
    export greeting: func() -> string;
    export whole-world: func() -> string;
    export parting;
}
WIT
echo 'export const greeting = () => "hello";' > app.js
npx componentize-qjs --sync --wit world.wit --world w --js app.js --output app.wasm >build.log 2>&1 && code=0 || code=$?
exported() { if grep -qa "$1" app.wasm; then echo yes; else echo no; fi; }
seen="exit code $code; exports whole-world: $(exported whole-world), a:b/parting: $(exported a:b/parting)"
echo "$seen"
[ "$seen" = "exit code 0; exports whole-world: yes, a:b/parting: yes" ]
