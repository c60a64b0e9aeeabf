/** Names of the environment that are probably slips: close to a known one, or in our own family (`ours` knows more of it) and unknown. */
export function nearMisses(
  names: Iterable<string>,
  known: readonly string[],
  ours: (name: string) => boolean = () => false,
): { name: string; suggestion: string | null }[] {
  const knownNames = new Set(known);
  const slips: { name: string; suggestion: string | null }[] = [];
  for (const name of names) {
    if (knownNames.has(name)) continue;
    const [best] = known
      .map((candidate) => ({ candidate, distance: editDistance(name, candidate) }))
      .sort((a, b) => a.distance - b.distance);
    const suggestion = best !== undefined && best.distance <= 2 && name.length >= 6 ? best.candidate : null;
    if (suggestion !== null || name.startsWith('CUTOVER_') || ours(name)) slips.push({ name, suggestion });
  }
  return slips;
}

/** Levenshtein's distance: insertions, deletions and substitutions, one row at a time. Upper and lower case count as the same. */
export function editDistance(a: string, b: string): number {
  const [from, to] = [a.toUpperCase(), b.toUpperCase()];
  let row = Array.from({ length: to.length + 1 }, (_, j) => j);
  for (let i = 1; i <= from.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= to.length; j += 1)
      next.push(Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, (row[j - 1] ?? 0) + (from[i - 1] === to[j - 1] ? 0 : 1)));
    row = next;
  }
  return row[to.length] ?? 0;
}
