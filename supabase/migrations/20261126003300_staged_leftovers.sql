-- What was staged and never removed is on a reconciliation's record, too: it is no disagreement, and it is deleted, not moved.

alter table public.reconcile_items drop constraint reconcile_items_kind_check;
alter table public.reconcile_items add constraint reconcile_items_kind_check
  check (kind in ('lost', 'unknown', 'other_size', 'other_hash', 'purged', 'stranded', 'foreign', 'staged'));
alter table public.reconcile_items drop constraint reconcile_items_action_check;
alter table public.reconcile_items add constraint reconcile_items_action_check
  check (action in ('none', 'invalidated', 'moved', 'left_to_retention', 'left', 'failed', 'deleted'));
