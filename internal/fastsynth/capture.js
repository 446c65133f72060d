'use strict';
// Loaded into the stock kernel (NODE_OPTIONS=--require) by the first run on an empty cache. The run is a stock run: this
// only takes notes of what the kernel loads and leaves them in one folder, which the runs after it use (kernel.js).
//
// Nothing here may disturb the run. What is not as expected ends in the file "aside", whose one line Go prints.

const fs = require('fs');
const path = require('path');
const Module = require('module');

const target = process.env.FAST_SYNTH_CAPTURE;
const provider = process.env.FAST_SYNTH_PROVIDER;

/** Notes why there will be no cache. */
function aside(e) {
  try {
    fs.writeFileSync(path.join(target, 'aside'), `${e.message}\n`.split('\n')[0]);
  } catch {
    // The folder cannot be written: Go finds no manifest in it, and steps aside for that.
  }
}

/** Replaces a text that must be there exactly once. It is a different kernel otherwise, and we do not know it. */
function replaceOnce(source, text, by) {
  if (source.split(text).length !== 2) {
    throw new Error(`jsii's kernel is not the one known here: it should hold ${JSON.stringify(text)} once`);
  }
  return source.replace(text, () => by);
}

// In the kernel's load(): where the work begins, and where the package is loaded. And the file descriptor it talks over.
const WORK_BEGINS = 'const originalUmask = process.umask(18);';
const LOADED = 'const assm = new Assembly(assmSpec, closure);';
const WRITES_TO = 'writeFD: 3';
const ADD_ASSEMBLY = '__classPrivateFieldGet(this, _Kernel_instances, "m", _Kernel_addAssembly).call(this, assm)';

// A message that is made for every value that crosses the pipe, and shown if there is an error: a twentieth of the time.
const MESSAGE = 'assert(typeRef != null, `Kernel error: expected type information';

/** Makes this run's kernel tell what it has loaded, and writes the kernel of the runs to come. */
function instrument() {
  const source = fs.readFileSync(main, 'utf8');
  let fast = replaceOnce(source, WORK_BEGINS, `
            const fast = globalThis[Symbol.for("fastsynth")](pkgname, pkgver, packageDir);
            if (fast) {
                const assm = new Assembly(fast.spec, fast.closure);
                ${ADD_ASSEMBLY};
                return { assembly: pkgname, types: fast.types };
            }
            ${WORK_BEGINS}`);
  // Read from 3 and written to 3 when it is one socket to the piping process; without that process they are two pipes.
  fast = replaceOnce(fast, WRITES_TO, 'writeFD: 4');
  replaceOnce(source, ADD_ASSEMBLY, ''); // it is there
  fast = replaceOnce(fast, MESSAGE, MESSAGE.replace('assert(typeRef != null,', 'typeRef != null || assert(false,'));
  fs.writeFileSync(path.join(target, 'program.js'), fast);

  const told = replaceOnce(source, LOADED, `globalThis[Symbol.for("fastsynth")](req, packageDir, assmSpec, closure); ${LOADED}`);
  const stock = Module._extensions['.js'];
  Module._extensions['.js'] = function (module, filename) {
    if (filename !== main) {
      return stock.call(this, module, filename);
    }
    Module._extensions['.js'] = stock;
    module._compile(told, filename);
  };

  const capture = new Capture();
  globalThis[Symbol.for('fastsynth')] = (req, dir, spec, closure) => {
    if (capture.done) {
      return;
    }
    try {
      capture.loaded(req, dir, spec, closure);
    } catch (e) {
      capture.done = true;
      aside(e);
    }
  };
}

/** What becomes of the packages: types.json (every type, in groups), index.json (where a group is) and manifest.json. */
class Capture {
  done = false;
  chunks = [];
  size = 0;
  packages = [];
  index = {};

  loaded(req, packageDir, spec, closure) {
    const dir = fs.realpathSync(packageDir);
    // jsii marks what it has extracted whole. Without its package cache there is nothing that the next run could use.
    if (!fs.existsSync(path.join(dir, '.jsii-runtime-package-cache'))) {
      throw new Error(`jsii's package cache is off, or does not hold ${req.name}`);
    }
    if (spec.schema !== 'jsii/0.10.0' || spec.name !== req.name || spec.version !== req.version) {
      throw new Error(`${req.name} ${req.version} describes itself as ${spec.name} ${spec.version} in ${spec.schema}`);
    }
    const lazy = req.name === provider;
    this.packages.push({ name: req.name, version: req.version, dir });
    this.index[req.name] = {
      version: req.version,
      // Relative to the package: what the kernel gets from require.resolve(name).
      main: path.relative(dir, require.resolve(dir)),
      modules: lazy ? modules(dir, spec, closure) : undefined,
      types: Object.keys(spec.types).length,
      // What the kernel reads of a description, types apart, is small. Readmes and submodules are most of the rest.
      spec: { ...spec, types: undefined, submodules: undefined, readme: undefined, dependencyClosure: undefined },
      groups: this.groups(spec, lazy),
    };
    if (lazy) {
      this.finish();
    }
  }

  /** Writes the types: those of one submodule together, as an app uses a few submodules of thousands. */
  groups(spec, lazy) {
    const groups = {};
    for (const [fqn, type] of Object.entries(spec.types)) {
      const parts = fqn.split('.');
      if (parts[0] !== spec.name) {
        throw new Error(`${spec.name} describes ${fqn}`);
      }
      const group = lazy ? parts[1] : '';
      strip(type);
      (groups[group] ||= []).push(`${JSON.stringify(fqn)}:${JSON.stringify(type)}`);
    }
    const index = {};
    for (const [group, types] of Object.entries(groups)) {
      const chunk = Buffer.from(`{${types.join(',')}}`);
      index[group] = [this.size, chunk.length];
      this.chunks.push(chunk);
      this.size += chunk.length;
    }
    return index;
  }

  finish() {
    this.done = true;
    const write = (name, content) => {
      const file = path.join(target, name);
      fs.writeFileSync(file, content);
    };
    write('types.json', Buffer.concat(this.chunks));
    write('index.json', JSON.stringify(this.index));
    for (const p of this.packages) {
      const link = path.join(target, 'node_modules', p.name);
      fs.mkdirSync(path.dirname(link), { recursive: true });
      fs.symlinkSync(p.dir, link);
    }
    // Last: where there is a manifest, everything before it has been written.
    write('manifest.json', JSON.stringify({ packages: this.packages }));
  }
}

/** Where each name that the package's index exports comes from. */
function modules(dir, spec, closure) {
  const found = {};
  for (const line of fs.readFileSync(path.join(dir, 'lib', 'index.js'), 'utf8').split('\n')) {
    const m = /^exports\.(\w+) = require\("\.\/([\w-]+)"\);$/.exec(line);
    if (m) {
      found[m[1]] = `lib/${m[2]}/index.js`;
    }
  }
  // The index proper has run: ours has to be the same, name by name.
  const names = Object.keys(closure);
  if (names.length === 0 || names.length !== Object.keys(found).length || !names.every((n) => n in found)) {
    throw new Error(`the index of ${spec.name} ${spec.version} is not a list of modules as it is known here`);
  }
  return found;
}

/** Takes away what people read. The kernel looks at names, types and modifiers; undefined values are not written to JSON. */
function strip(type) {
  bare(type);
  type.symbolId = undefined;
  for (const member of [type.initializer, ...(type.methods || [])]) {
    if (member) {
      bare(member);
      (member.parameters || []).forEach(bare);
    }
  }
  (type.properties || []).forEach(bare);
  (type.members || []).forEach(bare);
}

function bare(x) {
  if (x.docs) {
    x.docs = undefined;
  }
  if (x.locationInModule) {
    x.locationInModule = undefined;
  }
}

// The stock runtime is two processes: bin/jsii-runtime.js pipes, lib/program.js is the kernel. Only the kernel is of interest.
const main = process.argv[1] || '';
if (target && main.endsWith(path.join('lib', 'program.js'))) {
  try {
    instrument();
  } catch (e) {
    aside(e);
  }
}
