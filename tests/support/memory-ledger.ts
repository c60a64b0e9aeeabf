import { randomUUID } from 'node:crypto';
import { FileNotFoundError, LedgerError, ValidationError } from '../../src/domain/errors.ts';
import type { FileCopy, FileRecord, FileReference, MigrationItem, NewReference } from '../../src/domain/models.ts';
import type { Claim, FileListing, IdMapping, Ledger, Page, ProviderState } from '../../src/ledger/ledger.ts';

interface Copy extends FileCopy {
  purgeStarted: boolean;
  purgeAttempts: number;
  invalidationCode: string | null;
  idempotencyKey: string;
}

/** An item, and the place that its copy was at when it was recorded. */
interface Recorded extends MigrationItem {
  to: Pick<FileCopy, 'provider' | 'account'> | undefined;
  order: number;
  recordedAt: string;
}

/** The ledger in memory, for unit tests of what stands above it. Passes the same suite as the real one. */
export function createMemoryLedger(): Ledger {
  const files = new Map<string, FileRecord & { sizeBytes: number }>();
  const copies: Copy[] = [];
  const references: FileReference[] = [];
  /** By the ids of uploads, the contents that they are of; also when nobody holds them any more. */
  const uploads = new Map<string, string>();
  const reports = new Map<string, Map<string, Recorded>>();
  const states = new Map<string, ProviderState>();

  const now = () => new Date().toISOString();
  const set = (copy: Copy, change: Partial<Copy>) => Object.assign(copy, change, { updatedAt: now() });
  const leaseUntil = (seconds: number): string => {
    if (!(seconds > 0 && seconds <= 86_400))
      throw new ValidationError(`a lease of ${seconds} seconds is not possible`, { code: 'invalid_lease' });
    return new Date(Date.now() + seconds * 1000).toISOString();
  };
  const contentOf = (id: string): string => uploads.get(id) ?? id;
  const fileOf = (id: string) => {
    const file = files.get(contentOf(id));
    if (file === undefined) throw new FileNotFoundError(`the ledger has no file ${id}`, { code: 'file_not_found' });
    return file;
  };
  const copyOf = (id: string) => {
    const copy = copies.find((candidate) => candidate.id === id);
    if (copy === undefined) throw new FileNotFoundError(`the ledger has no copy ${id}`, { code: 'copy_not_found' });
    return copy;
  };
  const uploading = (copy: Copy) => copy.status === 'pending' || copy.status === 'uploading';
  const live = (copy: Copy) => copy.deletedAt === null && copy.status !== 'failed';
  const there = (copy: Copy) => copy.status === 'completed' && (copy.expiresAt === null || Date.parse(copy.expiresAt) > Date.now());
  const leased = (copy: Copy) => copy.leaseExpiresAt !== null && Date.parse(copy.leaseExpiresAt) > Date.now();
  const purging = (copy: Copy) => copy.purgeStarted && copy.purgedAt === null && leased(copy);
  const samePlace = (a: Omit<FileCopy, 'id'>, b: Copy) =>
    a.fileId === b.fileId && a.provider === b.provider && a.account === b.account && a.namespace === b.namespace;
  const mayShareObject = (a: Copy, b: Copy) =>
    a.providerFileId === null || b.providerFileId === null || a.providerFileId === b.providerFileId;
  const kept = (fileId: string) => references.some((reference) => reference.fileId === fileId && reference.keep === 'keep');
  const held = (fileId: string) => copies.some((copy) => copy.fileId === fileId && copy.legalHold && copy.purgedAt === null);
  const owns = (copy: Copy, owner: string) => copy.leaseOwner === owner && uploading(copy);
  const busy = (copy: Copy): Claim => ({
    outcome: 'busy',
    fileId: copy.fileId,
    copyId: copy.id,
    retryAfterMs: Math.max(1, Date.parse(copy.leaseExpiresAt ?? '') - Date.now()),
  });
  const visible = ({ purgeStarted, purgeAttempts, invalidationCode, ...copy }: Copy): FileCopy => ({ ...copy });
  let recorded = 0;
  const mappings = (): (IdMapping & { cursor: string; order: number })[] =>
    [...reports].flatMap(([migrationId, report]) =>
      [...report.values()].flatMap(
        ({ path, status, fileId, sizeBytes, sha256, sourceProvider, sourceId, providerFileId, to, order, recordedAt }) => {
          if (fileId === null || (status !== 'uploaded' && status !== 'deduplicated')) return [];
          const working = copies.filter((c) => c.fileId === fileId && c.namespace === 'live' && there(c) && c.deletedAt === null);
          const fitting = working.filter((c) => to === undefined || (c.provider === to.provider && c.account === to.account));
          const copy = fitting.find((c) => c.providerFileId === providerFileId) ?? fitting.at(-1);
          const now = { provider: copy?.provider ?? to?.provider ?? null, providerFileId: copy?.providerFileId ?? null };
          const oldId = sourceId ?? path;
          const cursor = `${migrationId}\0${oldId}\0${path}`;
          return [{ migrationId, oldId, sourceProvider, path, fileId, ...now, sha256, sizeBytes, recordedAt, cursor, order }];
        },
      ),
    );
  const pageOf = <T>(rows: T[], key: (row: T) => Buffer, { after, limit }: Page): T[] =>
    rows
      .filter((row) => after === null || key(row).compare(Buffer.from(after)) > 0)
      .sort((a, b) => key(a).compare(key(b)))
      .slice(0, limit);

  const ledger: Ledger = {
    check: async () => null,
    async claim({ content, owner, idempotencyKey, leaseSeconds, originalName, provider, account, purpose, namespace }) {
      const leaseExpiresAt = leaseUntil(leaseSeconds);
      let file = [...files.values()].find((candidate) => candidate.sha256 === content.sha256);
      if (file === undefined) {
        const { sha256, sizeBytes, mimeType } = content;
        const made = { createdAt: now(), accessedAt: now(), storagePath: null, duplicateOf: null };
        file = { id: randomUUID(), sha256, sizeBytes, mimeType, originalName, ...made };
        files.set(file.id, file);
      }
      if (file.sizeBytes !== content.sizeBytes)
        throw new LedgerError(`content ${content.sha256} is on record with ${file.sizeBytes} bytes`, { code: 'size_mismatch' });
      const place = { fileId: file.id, provider, account, namespace };
      const same = copies.filter((c) => samePlace(place as Copy, c) && c.purpose === purpose && c.purgedAt === null);
      const copy = same.find(live) ?? same[0];
      const done = (of: Copy): Claim => ({
        outcome: 'completed',
        fileId: of.fileId,
        copyId: of.id,
        providerFileId: of.providerFileId ?? '',
        idempotencyKey: of.idempotencyKey,
      });
      const usable = copy !== undefined && there(copy);
      if (usable && copy.deletedAt === null) return done(copy);
      const purge = copies.find((candidate) => samePlace(place as Copy, candidate) && purging(candidate));
      if (purge !== undefined) return busy(purge);
      if (usable && !copy.purgeStarted) {
        set(copy, { deletedAt: null, deletionReason: null });
        return done(copy);
      }
      if (copy !== undefined && uploading(copy) && leased(copy) && copy.leaseOwner !== owner) return busy(copy);
      const claimed = { status: 'uploading', leaseOwner: owner, leaseExpiresAt, providerFileId: null } as const;
      const mine: Copy = copy ?? {
        ...{ id: randomUUID(), ...place, purpose, attempts: 0, lastErrorCode: null, updatedAt: now(), ...claimed },
        ...{ deletedAt: null, deletionReason: null, purgedAt: null, expiresAt: null, legalHold: false, needsReview: false },
        ...{ purgeStarted: false, purgeAttempts: 0, invalidationCode: null, idempotencyKey },
      };
      if (copy === undefined) copies.push(mine);
      const expired = copy !== undefined && uploading(copy) && !leased(copy);
      const why = copy?.status === 'completed' ? 'expired_at_provider' : expired ? 'lease_expired' : mine.lastErrorCode;
      set(mine, {
        ...claimed,
        idempotencyKey,
        attempts: mine.attempts + 1,
        lastErrorCode: mine.purgeStarted ? 'purge_interrupted' : why,
        ...{ expiresAt: null, deletedAt: null, deletionReason: null, purgeStarted: false, purgeAttempts: 0, needsReview: false },
      });
      const { id: copyId, attempts, invalidationCode, lastErrorCode } = mine;
      return { outcome: 'claimed', fileId: file.id, copyId, attempts, lastErrorCode: invalidationCode ?? lastErrorCode };
    },
    async renew(copyId, owner, leaseSeconds) {
      const copy = copyOf(copyId);
      if (!owns(copy, owner)) return false;
      set(copy, { leaseExpiresAt: leaseUntil(leaseSeconds) });
      return true;
    },
    async complete(copyId, owner, providerFileId, expiresAt = null) {
      const copy = copyOf(copyId);
      if (copy.status === 'completed') return !copy.purgeStarted;
      if (!owns(copy, owner)) return false;
      const errors = { lastErrorCode: null, invalidationCode: null };
      set(copy, { status: 'completed', providerFileId, expiresAt, ...errors, leaseOwner: null, leaseExpiresAt: null });
      return true;
    },
    async fail(copyId, owner, lastErrorCode) {
      const copy = copyOf(copyId);
      if (owns(copy, owner)) set(copy, { status: 'failed', lastErrorCode, leaseOwner: null, leaseExpiresAt: null });
    },
    async invalidate(copyId, code) {
      const copy = copyOf(copyId);
      if (copy.status === 'completed' && !copy.purgeStarted) set(copy, { status: 'failed', lastErrorCode: code, invalidationCode: code });
    },

    async record({ fileId, copyId }, owner, providerFileId, reference, expiresAt = null) {
      if (!(await ledger.complete(copyId, owner, providerFileId, expiresAt))) return false;
      await ledger.addReference(fileId, reference);
      return true;
    },
    async addReference(given, reference) {
      const file = fileOf(given);
      const { id: fileId } = file;
      const { uploadId } = reference;
      const holding = ({ tool, userId, name, legacyId, uploadId }: NewReference) =>
        JSON.stringify([tool, userId, name, legacyId, uploadId]);
      const known = references.find((r) => r.fileId === fileId && holding(r) === holding(reference));
      if (uploadId != null) uploads.set(uploadId, fileId);
      file.accessedAt = now();
      if (!copies.some((c) => c.fileId === fileId && c.namespace === 'live' && c.status === 'completed' && c.deletedAt === null))
        await ledger.restore(fileId);
      if (known !== undefined) return { ...Object.assign(known, reference, { keep: known.keep === 'keep' ? 'keep' : reference.keep }) };
      const made = { ...reference, id: randomUUID(), fileId, createdAt: now() };
      references.push(made);
      return { ...made };
    },
    references: async (fileId) =>
      references.filter((reference) => reference.fileId === contentOf(fileId)).map((reference) => ({ ...reference })),
    async deleteReference(id) {
      const index = references.findIndex((reference) => reference.id === id);
      if (index >= 0) references.splice(index, 1);
      return index >= 0;
    },

    file: async (fileId) => files.get(contentOf(fileId)) ?? null,
    async givenId(asked, userId) {
      const id = asked.toLowerCase();
      const file = files.get(contentOf(id));
      if (file === undefined) return null;
      const own = uploads.has(id);
      const held = references.filter(
        (r) => r.userId === userId && r.legacyId == null && (own ? r.uploadId === id : r.fileId === id && r.uploadId == null),
      );
      const there = copies.some((c) => c.fileId === id && c.namespace === 'live' && c.status === 'completed' && c.deletedAt === null);
      return { file, held: held.map((reference) => ({ ...reference })), ours: own || there };
    },
    fileByHash: async (sha256) => [...files.values()].find((file) => file.sha256 === sha256) ?? null,
    filesByName: async (name, limit) =>
      [...files.values()]
        .filter((file) => file.originalName === name || references.some((held) => held.fileId === file.id && held.name === name))
        .sort((a, b) => (a.id < b.id ? -1 : 1))
        .slice(0, limit),
    copies: async (fileId) => copies.filter((copy) => copy.fileId === contentOf(fileId)).map(visible),
    async copyByProviderId(provider, account, providerFileId) {
      const standing = (c: Copy) => c.provider === provider && c.account === account && c.providerFileId === providerFileId;
      const copy = copies.find((c) => standing(c) && c.status === 'completed' && c.deletedAt === null);
      return copy === undefined ? null : { file: fileOf(copy.fileId), copy: visible(copy) };
    },
    async copiesAt(provider, account, page) {
      const there = copies.filter(
        (c) => c.provider === provider && c.account === account && c.purgedAt === null && c.status === 'completed',
      );
      return pageOf(there, ({ id }) => Buffer.from(id), page).map(visible);
    },
    async usage(provider, account) {
      const held = copies.filter((c) => c.provider === provider && c.account === account && c.purgedAt === null);
      const counted = held.filter((c) => there(c) || (uploading(c) && leased(c)));
      const byPurpose = Object.entries(Object.groupBy(counted, ({ purpose }) => purpose)).sort(([a], [b]) => (a < b ? -1 : 1));
      return byPurpose.map(([purpose, of = []]) => ({
        purpose,
        files: of.length,
        bytes: of.reduce((sum, { fileId }) => sum + fileOf(fileId).sizeBytes, 0),
      }));
    },
    async listHeldBy(userId, { after, limit }) {
      const there = (fileId: string) =>
        copies.some((c) => c.fileId === fileId && c.namespace === 'live' && c.status === 'completed' && c.deletedAt === null);
      return references
        .filter(({ legacyId }) => legacyId == null)
        .filter((reference) => reference.userId === userId && reference.id > (after ?? '') && there(reference.fileId))
        .sort((a, b) => (a.id < b.id ? -1 : 1))
        .slice(0, limit)
        .map(({ id, fileId, name, uploadId }) => {
          const { sizeBytes = null, mimeType = null, sha256 = null } = files.get(fileId) ?? {};
          return { referenceId: id, id: uploadId ?? fileId, fileId, name, sizeBytes, mimeType, sha256 };
        });
    },
    async list(page) {
      const shown = (file: FileRecord) => copies.filter((c) => c.fileId === file.id && c.namespace === 'live' && live(c));
      const listed = [...files.values()].filter((file) => shown(file).length > 0);
      return pageOf(listed, (file) => Buffer.from(file.id), page).map((file): FileListing => {
        const holding = references.filter((reference) => reference.fileId === file.id);
        const rows = shown(file).map(({ provider, status, providerFileId }) => ({ provider, status, providerFileId }));
        return { ...file, names: holding.slice(0, 20).map(({ name }) => name), references: holding.length, copies: rows };
      });
    },
    async touch(fileId) {
      fileOf(fileId).accessedAt = now();
    },

    async softDelete(given, deletionReason, { unreferencedOnly = false } = {}) {
      const { id: fileId } = fileOf(given);
      if (held(fileId) || kept(fileId)) return 0;
      if (unreferencedOnly && references.some((reference) => reference.fileId === fileId)) return 0;
      const marked = copies.filter((copy) => copy.fileId === fileId && copy.status === 'completed' && copy.deletedAt === null);
      for (const copy of marked) set(copy, { deletedAt: now(), deletionReason });
      return marked.length;
    },
    async restore(given) {
      const { id: fileId } = fileOf(given);
      const back = copies.filter((c) => c.fileId === fileId && there(c) && c.deletedAt !== null && !c.purgeStarted);
      for (const copy of back) set(copy, { deletedAt: null, deletionReason: null });
      return back.length;
    },
    async beginPurge(copyId, owner, leaseSeconds) {
      const copy = copyOf(copyId);
      if (copy.deletedAt === null || copy.purgedAt !== null || held(copy.fileId)) return null;
      if (copy.status === 'completed' && copy.namespace === 'live' && kept(copy.fileId)) return null;
      if (leased(copy) && copy.leaseOwner !== owner) return null;
      const others = copies.filter((c) => c !== copy && samePlace(copy, c) && mayShareObject(c, copy));
      const standing = others.filter(live);
      const close = (c: Copy) => set(c, { purgedAt: now(), purgeStarted: true, leaseOwner: null, leaseExpiresAt: null });
      if (standing.length > 0) {
        if (standing.some((c) => c.status === 'completed')) close(copy);
        return null;
      }
      if (others.some(purging)) return null;
      for (const c of others) if (c.deletedAt !== null && c.purgedAt === null && c.providerFileId === copy.providerFileId) close(c);
      return visible(set(copy, { purgeStarted: true, leaseOwner: owner, leaseExpiresAt: leaseUntil(leaseSeconds) }));
    },
    async completePurge(copyId, owner) {
      const copy = copyOf(copyId);
      if (!copy.purgeStarted || copy.purgedAt !== null || copy.leaseOwner !== owner) return;
      set(copy, { purgedAt: now(), needsReview: false, leaseOwner: null, leaseExpiresAt: null });
    },
    async failPurge(copyId, owner, lastErrorCode) {
      const copy = copyOf(copyId);
      if (!copy.purgeStarted || copy.purgedAt !== null || copy.leaseOwner !== owner) return;
      const purgeAttempts = copy.purgeAttempts + 1;
      set(copy, { purgeAttempts, needsReview: purgeAttempts >= 5, lastErrorCode, leaseOwner: null, leaseExpiresAt: null });
    },

    async reportProviderState(state) {
      states.set(JSON.stringify([state.provider, state.account, state.reporter]), { ...state, updatedAt: now() });
    },
    providerStates: async () =>
      [...states.values()]
        .filter(({ updatedAt }) => Date.parse(updatedAt) > Date.now() - 86_400_000)
        .sort((a, b) => Date.parse(b.updatedAt) - Date.parse(a.updatedAt)),
    // Outcomes of operations have no way in through the port.
    traffic: async () => [],

    async recordMigrationItems(migrationId, items) {
      const report = reports.get(migrationId) ?? new Map<string, Recorded>();
      for (const item of items) {
        const standing = copies.filter((c) => c.fileId === item.fileId && c.providerFileId === item.providerFileId);
        const to = standing.find(({ provider }) => provider !== item.sourceProvider) ?? standing[0];
        report.set(item.path, { ...item, to, order: recorded++, recordedAt: report.get(item.path)?.recordedAt ?? now() });
      }
      reports.set(migrationId, report);
    },
    async migrationItems(migrationId, { status, ...page }) {
      const items = [...(reports.get(migrationId)?.values() ?? [])].filter((item) => status === undefined || item.status === status);
      return pageOf(items, (item) => Buffer.from(item.path), page).map(({ to, order, recordedAt, ...item }) => item);
    },
    async idMap({ migrationId, ...page }) {
      const all = mappings().filter((mapping) => migrationId === undefined || mapping.migrationId === migrationId);
      return pageOf(all, ({ cursor }) => Buffer.from(cursor), page).map(({ order, ...mapping }) => mapping);
    },
    async resolveId(oldId) {
      const [newest] = mappings()
        .filter((mapping) => mapping.oldId === oldId)
        .sort((a, b) => b.order - a.order);
      if (newest === undefined) return null;
      const { cursor, order, ...mapping } = newest;
      return mapping;
    },
  };
  return ledger;
}
