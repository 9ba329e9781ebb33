// One reading for all who ask at the same time, and for each one that began after he asked.

/** The returned function reads, or shares a reading that has not begun yet. */
export function afresh<T>(read: () => Promise<T>): () => Promise<T> {
  let reading: Promise<T> | null = null;
  let next: Promise<T> | null = null;
  const begin = (): Promise<T> => {
    const begun = read();
    reading = begun;
    const done = (): void => {
      if (reading === begun) reading = null;
    };
    begun.then(done, done);
    return begun;
  };
  return () => {
    if (reading === null) return begin();
    // What is under way may have begun too early: the next one serves all who ask meanwhile.
    next ??= reading
      .then(
        () => {},
        () => {},
      )
      .then(() => {
        next = null;
        return begin();
      });
    return next;
  };
}
