// Builds the packages that are published into `build/NAME`: what `npm pack` and `npm publish` take. In the
// workspace a package exports its sources, so that nothing has to be built while one works on it; here the
// same exports name compiled modules and their types.

import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { build } from 'vite';

const web = fileURLToPath(new URL('.', import.meta.url));
const read = (path) => JSON.parse(readFileSync(`${web}${path}`, 'utf8'));
const write = (path, value) => writeFileSync(`${web}${path}`, `${JSON.stringify(value, null, 2)}\n`);
/** Built before the others, which need their types. */
const FIRST = ['client', 'stage', 'players'];

/** The core of the client is one file, from which the parts that are loaded later import. */
const codeSplitting = { groups: [{ name: 'core', test: /client\/src\/join\.ts$/ }] };

/** Returns the packages that are not private, in the order to build. */
export function published() {
  const all = readdirSync(`${web}packages`).filter((name) => existsSync(`${web}packages/${name}/package.json`));
  const order = (name) => (FIRST.includes(name) ? FIRST.indexOf(name) : FIRST.length);
  return all.filter((name) => !read(`packages/${name}/package.json`).private).sort((a, b) => order(a) - order(b) || a.localeCompare(b));
}

/** Returns the entries of a package by their name in `dist`, from its exports. */
function entriesOf(manifest) {
  const sources = Object.values(manifest.exports).filter((source) => source.startsWith('./src/'));
  return Object.fromEntries(sources.map((source) => [source.replace(/^\.\/src\/|\.tsx?$/g, ''), source]));
}

async function buildPackage(name) {
  const manifest = read(`packages/${name}/package.json`);
  const root = `${web}packages/${name}`;
  const out = `${web}build/${name}`;
  const entries = entriesOf(manifest);
  rmSync(out, { recursive: true, force: true });
  mkdirSync(out, { recursive: true });
  const outside = Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies });
  await build({
    configFile: false,
    root,
    logLevel: 'warn',
    build: {
      target: 'es2022',
      outDir: `${out}/dist`,
      emptyOutDir: true,
      sourcemap: true,
      minify: 'oxc',
      lib: { entry: entries, formats: ['es'] },
      rolldownOptions: {
        preserveEntrySignatures: 'allow-extension',
        external: (id) => outside.some((one) => id === one || id.startsWith(`${one}/`)),
        output: { entryFileNames: '[name].js', chunkFileNames: '[name].js', minify: true, codeSplitting },
      },
    },
  });
  types(name, Object.values(entries));
  const exports = Object.entries(manifest.exports).map(([path, source]) => {
    const built = source.replace('./src/', './dist/').replace(/\.tsx?$/, '');
    return [path, { types: `${built}.d.ts`, default: `${built}.js` }];
  });
  const { sideEffects } = manifest;
  const effects = Array.isArray(sideEffects) ? sideEffects.map((source) => source.replace('./src/', './dist/').replace(/\.tsx?$/, '.js')) : sideEffects;
  write(`build/${name}/package.json`, { ...manifest, sideEffects: effects, files: ['dist'], exports: { ...Object.fromEntries(exports), './package.json': './package.json' } });
  if (existsSync(`${root}/README.md`)) cpSync(`${root}/README.md`, `${out}/README.md`);
  cpSync(`${web}../LICENSE`, `${out}/LICENSE`);
}

/** Writes the types of the entries. A package sees the built types of the others, as its users do. */
function types(name, sources) {
  const paths = FIRST.filter((one) => one !== name).flatMap((one) => [
    [`@barrage/${one}`, [`./${one}/dist/index.d.ts`]],
    [`@barrage/${one}/*`, [`./${one}/dist/*.d.ts`]],
  ]);
  write(`build/tsconfig.json`, {
    extends: `${web}tsconfig.json`,
    compilerOptions: {
      noEmit: false,
      declaration: true,
      emitDeclarationOnly: true,
      rootDir: `${web}packages/${name}/src`,
      outDir: `./${name}/dist`,
      jsx: 'react-jsx',
      paths: Object.fromEntries(paths),
    },
    include: [],
    files: [...sources.map((source) => `${web}packages/${name}/${source}`), ...ambient(name)],
  });
  execFileSync('npx', ['tsc', '-p', 'build/tsconfig.json'], { cwd: web, stdio: 'inherit' });
  for (const path of readdirSync(`${web}build/${name}/dist`, { recursive: true })) {
    if (!path.endsWith('.d.ts')) continue;
    const file = `${web}build/${name}/dist/${path}`;
    writeFileSync(file, readFileSync(file, 'utf8').replace(/(from '|import\(')(\.[^']*)\.tsx?'/g, "$1$2.js'").replace(/(from "|import\(")(\.[^"]*)\.tsx?"/g, '$1$2.js"'));
  }
}

/** Returns the declaration files among the sources, such as that of files imported as text. */
function ambient(name) {
  const all = readdirSync(`${web}packages/${name}/src`, { recursive: true });
  return all.filter((path) => path.endsWith('.d.ts')).map((path) => `${web}packages/${name}/src/${path}`);
}

mkdirSync(`${web}build`, { recursive: true });
for (const name of published()) await buildPackage(name);
