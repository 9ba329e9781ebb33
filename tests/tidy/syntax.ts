// What the syntax tree may not hold: types switched off, casts, inheritance, barrels, functions that are too
// long, and in actors/ anything that reads a clock, chance or the outside.
//
// The one cast that is allowed stands in a function whose name begins with `brand`: it checks a value and
// gives it its branded type, so that the cast and its reason are in one place.

import type {
  ArrowFunctionExpression,
  Class,
  Function as FunctionNode,
  Node,
  VisitorObject,
} from 'oxc-parser';
import { type Complaint, lineAt, type Rule, type Source } from './source.ts';

const FUNCTION_LINES_MAX = 70;
const TIMERS = new Set(['setTimeout', 'setInterval', 'setImmediate', 'queueMicrotask', 'fetch']);
const IMPURE = new Set([
  'Date.now',
  'Math.random',
  'performance.now',
  'performance.timeOrigin',
  'Temporal.Now',
  'crypto.randomUUID',
  'crypto.getRandomValues',
]);
const PURE_BUN = new Set(['Bun.CryptoHasher', 'Bun.hash']);

/** Collects complaints while the tree is walked. */
type Complain = (node: Node, message: string) => void;

function syntaxRule(name: string, visitors: (complain: Complain, source: Source) => VisitorObject): Rule {
  return {
    name,
    check(source) {
      const complaints: Complaint[] = [];
      source.code?.visit(visitors((node, message) => complaints.push([node.start, message]), source));
      return complaints;
    },
  };
}

function ownForms(complain: Complain): VisitorObject {
  return {
    TSModuleDeclaration: (node) => complain(node, 'a namespace: use a file'),
    ExportDefaultDeclaration: (node) => complain(node, 'a default export: name it'),
  };
}

/** `a.b` of a member expression between two names, else null. */
function dotted(node: Node): string | null {
  if (node.type !== 'MemberExpression' || node.object.type !== 'Identifier') return null;
  if (!node.computed && node.property.type === 'Identifier')
    return `${node.object.name}.${node.property.name}`;
  const literal = node.property.type === 'Literal' ? node.property.value : null;
  return `${node.object.name}.${literal ?? '?'}`;
}

const typesOn = syntaxRule('types-on', (complain) => ({
  TSAnyKeyword: (node) => complain(node, '`any` switches checking off: name the type, or `unknown`'),
  TSNonNullExpression: (node) => complain(node, '`!` asserts without a check: test for the value'),
  VariableDeclarator: (node) => {
    if (node.definite) complain(node, '`!:` asserts without a check: give it a value');
  },
  PropertyDefinition: (node) => {
    if (node.definite) complain(node, '`!:` asserts without a check: give it a value');
  },
}));

const noCasts = syntaxRule('no-casts', (complain) => {
  let brands: { readonly start: number; readonly end: number }[] = [];
  const allowed = (node: Node) => brands.some((one) => one.start <= node.start && node.end <= one.end);
  return {
    FunctionDeclaration: (node) => {
      if (node.id?.name.startsWith('brand')) brands = [...brands, node];
    },
    TSTypeAssertion: (node) => complain(node, 'a cast: check the value, or brand it in a brand… function'),
    TSAsExpression: (node) => {
      const type = node.typeAnnotation;
      const isConst =
        type.type === 'TSTypeReference' &&
        type.typeName.type === 'Identifier' &&
        type.typeName.name === 'const';
      if (!isConst && !allowed(node))
        complain(node, 'a cast: check the value, or brand it in a brand… function');
    },
  };
});

/** A declaration of another's untyped files (`.d.ts`) names their forms as they are. */
const plainForms = syntaxRule('plain-forms', (complain, { path }) => ({
  ...(path.endsWith('.d.ts') ? {} : ownForms(complain)),
  TSEnumDeclaration: (node) => complain(node, 'an enum: use a union of strings'),
  ExportAllDeclaration: (node) => complain(node, '`export *` makes a barrel: import where it is declared'),
  Decorator: (node) => complain(node, 'a decorator: call a function'),
  ClassDeclaration: inheritance(complain),
  ClassExpression: inheritance(complain),
}));

function inheritance(complain: Complain) {
  return (node: Class) => {
    const parent = node.superClass;
    if (parent === null) return;
    if (parent.type === 'Identifier' && /(Error|Fault)$/.test(parent.name)) return;
    complain(parent, 'inheritance is for errors only: compose');
  };
}

const environment = syntaxRule('environment', (complain, { path }) => ({
  MemberExpression: (node) => {
    if (path === 'configs/load.ts' || /^(tests|scripts)\//.test(path)) return;
    const name = dotted(node);
    const isMeta = node.object.type === 'MetaProperty' && node.property.type === 'Identifier';
    const metaEnv = isMeta && node.property.type === 'Identifier' && node.property.name === 'env';
    if (name === 'process.env' || name === 'Bun.env' || metaEnv) {
      complain(node, 'only configs/load.ts reads the environment: take an option');
    }
  },
}));

const pureActors = syntaxRule('pure-actors', (complain, { path }) => {
  if (!path.startsWith('actors/')) return {};
  const reason = 'actors take time, chance and the outside as arguments';
  return {
    MemberExpression: (node) => {
      const name = dotted(node);
      if (name === null) return;
      const impureBun = name.startsWith('Bun.') && !PURE_BUN.has(name);
      const outside = name.startsWith('process.') || name.startsWith('console.');
      if (IMPURE.has(name) || impureBun || outside) complain(node, `${name}: ${reason}`);
    },
    NewExpression: (node) => {
      if (node.callee.type === 'Identifier' && node.callee.name === 'Date' && node.arguments.length === 0) {
        complain(node, `new Date(): ${reason}`);
      }
    },
    CallExpression: (node) => {
      const callee = node.callee;
      if (callee.type === 'Identifier' && TIMERS.has(callee.name))
        complain(node, `${callee.name}: ${reason}`);
      if (callee.type === 'Identifier' && callee.name === 'Date') complain(node, `Date(): ${reason}`);
    },
  };
});

const testForms = syntaxRule('test-forms', (complain) => ({
  MemberExpression: (node) => {
    const name = dotted(node) ?? '';
    if (/^(test|it|describe)\.(only|todo)$/.test(name)) complain(node, `${name} leaves tests out`);
    if (name === 'mock.module') complain(node, 'a mock of a module: hand in a fake of its port');
  },
}));

/**
 * Lines from the first to the last of each function. In tests/, one that registers tests is a list of them.
 */
const shortFunctions = syntaxRule('short-functions', (complain, { path, text }) => {
  const registers = /\b(?:test|it|describe)(?:\.\w+)?\(/;
  const isList = ({ start, end }: Node) =>
    path.startsWith('tests/') && registers.test(text.slice(start, end));
  const measure = (node: FunctionNode | ArrowFunctionExpression) => {
    const lines = lineAt(text, node.end) - lineAt(text, node.start) + 1;
    if (lines <= FUNCTION_LINES_MAX || isList(node)) return;
    complain(node, `a function of ${lines} lines; the most is ${FUNCTION_LINES_MAX}`);
  };
  return {
    FunctionDeclaration: measure,
    FunctionExpression: measure,
    ArrowFunctionExpression: measure,
  };
});

export const SYNTAX_RULES: readonly Rule[] = [
  {
    name: 'parses',
    *check(source) {
      if (source.code?.error) yield source.code.error;
    },
  },
  typesOn,
  noCasts,
  plainForms,
  environment,
  pureActors,
  testForms,
  shortFunctions,
];
