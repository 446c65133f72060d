'use strict';
// The jsii kernel on a warm cache: one process, which Go starts with the requests on descriptor 3 and the answers on 4.
// program.js beside this file is jsii's own kernel with two changes that capture.js made: the descriptors, and that it asks
// the function below for a package before it unpacks one.

const fs = require('fs');
const path = require('path');
const Module = require('module');
const { Writable } = require('stream');

const dir = __dirname;

// Node's compile cache: scripts are compiled once, not once a run. Its entries hold the source's hash, so that a changed
// script is compiled again. Node before 22.1 has none, and compiles.
Module.enableCompileCache?.(path.join(dir, 'compile'));

// Descriptor 1 is not for us: Go reads stderr by the line and expects what was printed as jsii's piping process would
// have passed it on. Writing is synchronous, so that nothing is lost when the kernel exits.
for (const [name, fd] of [['stdout', 1], ['stderr', 2]]) {
  let stream;
  Object.defineProperty(process, name, {
    configurable: true,
    enumerable: true,
    get() {
      stream ??= Object.assign(new Writable({
        decodeStrings: true,
        write(chunk, _encoding, done) {
          writeAll(Buffer.from(`${JSON.stringify({ [name]: chunk.toString('base64') })}\n`));
          done();
        },
      }), { fd });
      return stream;
    },
  });
}

function writeAll(buffer) {
  for (let offset = 0; offset < buffer.length;) {
    try {
      offset += fs.writeSync(2, buffer, offset);
    } catch (e) {
      if (e.code !== 'EAGAIN') {
        throw e;
      }
    }
  }
}

const index = JSON.parse(fs.readFileSync(path.join(dir, 'index.json'), 'utf8'));
const types = fs.openSync(path.join(dir, 'types.json'), 'r');

/** The kernel's question: is this package known? It is told apart by name and version: the cache is this content's own. */
globalThis[Symbol.for('fastsynth')] = (name, version, packageDir) => {
  const known = index[name];
  const home = path.join(dir, 'node_modules', name);
  if (!known || known.version !== version) {
    stranger(packageDir.slice(0, -name.length - 1));
    return undefined;
  }
  // The kernel takes a package for loaded if its folder is in node_modules.
  fs.mkdirSync(path.dirname(packageDir), { recursive: true });
  fs.symlinkSync(home, packageDir);
  if (name === 'cdktf') {
    lateStackTraces(home);
    lateArchiver(home);
  }
  return {
    spec: { ...known.spec, types: typesOf(name, known, home) },
    closure: known.modules ? lazy(home, known.modules) : require(path.join(home, known.main)),
    types: known.types,
  };
};

/** The types of a package by their full name, read by the group when first asked for. */
function typesOf(name, known, home) {
  const groups = {};
  const single = '' in known.groups;
  let whole;
  const read = (group) => {
    const at = known.groups[group];
    if (!at) {
      return {};
    }
    const buffer = Buffer.allocUnsafe(at[1]);
    try {
      fs.readSync(types, buffer, 0, at[1], at[0]);
      return JSON.parse(buffer.toString('utf8'));
    } catch {
      // The file is damaged. The description itself is slow to read, and right; and without a manifest the next run makes
      // a new cache.
      fs.rmSync(path.join(dir, 'manifest.json'), { force: true });
      whole ??= JSON.parse(fs.readFileSync(path.join(home, '.jsii'), 'utf8')).types;
      return whole;
    }
  };
  return new Proxy({}, {
    get(_, fqn) {
      if (typeof fqn !== 'string') {
        return undefined;
      }
      const group = single ? '' : fqn.split('.')[1];
      return (groups[group] ??= read(group))[fqn];
    },
  });
}

/** A package's index whose modules are loaded when first asked for. The same names as in the index proper: capture.js compared. */
function lazy(home, modules) {
  const exports = {};
  for (const [name, file] of Object.entries(modules)) {
    Object.defineProperty(exports, name, {
      configurable: true,
      enumerable: true,
      get() {
        const value = require(path.join(home, file));
        Object.defineProperty(exports, name, { configurable: true, enumerable: true, value });
        return value;
      },
    });
  }
  return exports;
}

/**
 * cdktf notes for every token where it was made, to say so if the token cannot be resolved. Taking a trace is cheap,
 * writing it out is a tenth of a synthesis: do that when somebody reads it.
 */
function lateStackTraces(home) {
  let module;
  try {
    module = require(path.join(home, 'lib', 'tokens', 'private', 'stack-trace.js'));
  } catch {
    return; // Another cdktf, which does it elsewhere or not at all.
  }
  module.captureStackTrace = function captureStackTrace(below) {
    const at = [];
    const limit = Error.stackTraceLimit;
    Error.stackTraceLimit = Infinity;
    Error.captureStackTrace(at, below || captureStackTrace);
    Error.stackTraceLimit = limit;
    return new Proxy(at, trace);
  };
}

/** An array of a trace's lines. They are written into it, in place of the trace, when anything of it is first asked for. */
const lines = (at) => {
  if (Object.hasOwn(at, 'stack')) {
    const written = at.stack.split('\n').slice(1);
    delete at.stack;
    at.push(...written.map((s) => s.replace(/^\s*at\s+/, '')));
  }
  return at;
};
const trace = Object.fromEntries(
  ['get', 'has', 'ownKeys', 'getOwnPropertyDescriptor'].map((trap) => [trap, (at, ...args) => Reflect[trap](lines(at), ...args)]),
);

/** cdktf loads archiver, and with it a third of its modules, to zip the folders of file assets: do that when there is one. */
function lateArchiver(home) {
  let file;
  try {
    file = Module.createRequire(path.join(home, 'lib', 'private', 'fs.js')).resolve('archiver');
  } catch {
    return; // Another cdktf, which zips by other means.
  }
  const real = () => {
    if (require.cache[file] === standIn) {
      delete require.cache[file];
    }
    return require(file);
  };
  const standIn = new Module(file);
  standIn.filename = file;
  standIn.loaded = true;
  standIn.exports = new Proxy(function () {}, {
    apply: (_, self, args) => Reflect.apply(real(), self, args),
    get: (_, key) => Reflect.get(real(), key),
  });
  require.cache[file] = standIn;
}

/**
 * A package that is not in the cache is loaded as ever, below the kernel's own node_modules. It finds the known packages
 * there by links; Node would take the other path for another module, and have two of each class. So lead it back.
 */
let led = false;
function stranger(nodeModules) {
  if (led) {
    return;
  }
  led = true;
  const resolve = Module._resolveFilename;
  Module._resolveFilename = function (...args) {
    const file = resolve.apply(this, args);
    for (const name of Object.keys(index)) {
      const link = path.join(nodeModules, name) + path.sep;
      if (file.startsWith(link)) {
        return path.join(dir, 'node_modules', name, file.slice(link.length));
      }
    }
    return file;
  };
}

require('./program.js');
