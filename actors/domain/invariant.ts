// Assertions. They stay on in production: a failed one is a defect of ours and belongs to the supervisor,
// never a way to say that input is bad (that is a Rejection) or that the outside failed (that is a Fault).

/** A fault of our own making. Thrown by `invariant`; caught only at a behaviour's edge. */
export class Defect extends Error {
  override readonly name = 'Defect';
}

/** Throws a Defect with `message` unless `condition` holds. */
export function invariant(condition: boolean, message: string): asserts condition {
  if (!condition) throw new Defect(message);
}

/** Unwraps a value that must be there; throws a Defect that names `what` when it is not. */
export function present<T>(value: T | null | undefined, what: string): T {
  if (value === null || value === undefined) throw new Defect(`${what} is missing`);
  return value;
}

/** For the default branch of a switch over a union: does not compile when a case is forgotten. */
export function unreachable(value: never): never {
  throw new Defect(`unreachable case: ${JSON.stringify(value)}`);
}
