-- shadow_comparisons: one row per comparison of the candidate with the control.

create table public.shadow_comparisons (
  id uuid primary key default gen_random_uuid(),
  tool text not null check (char_length(tool) between 1 and 100),
  operation text not null check (char_length(operation) between 1 and 100),
  operation_id text not null check (char_length(operation_id) between 1 and 500),
  step integer not null default 0 check (step >= 0),
  control jsonb not null,
  candidate jsonb not null,
  matched boolean not null,
  mismatches text[] not null default '{}',
  control_ms double precision check (control_ms >= 0),
  candidate_ms double precision check (candidate_ms >= 0),
  rules jsonb not null default '{}',
  created_at timestamptz not null default now(),
  unique (tool, operation_id),
  check (matched = (mismatches = '{}'))
);
comment on column public.shadow_comparisons.operation_id is 'The operation that was sampled: one comparison for each, also when it is retried.';
comment on column public.shadow_comparisons.control is 'Outcome of legacy, as far as it was compared: no contents, no secrets.';
comment on column public.shadow_comparisons.mismatches is 'The fields that differ.';
comment on column public.shadow_comparisons.rules is 'What was compared, ignored and tolerated.';
create index shadow_comparisons_tool_idx on public.shadow_comparisons (tool, created_at);
create index shadow_comparisons_mismatch_idx on public.shadow_comparisons (tool, created_at) where not matched;

alter table public.shadow_comparisons enable row level security;
revoke all on public.shadow_comparisons from anon, authenticated;
grant select, insert, update, delete on public.shadow_comparisons to service_role;
