-- A tool's stage moves from where it was when the evidence was read, or not at all.

create function public.move_stage(p_decision jsonb, p_stage text, p_epoch integer) returns jsonb
language plpgsql set search_path = '' as $$
declare
  v_decision jsonb := public.json_argument(p_decision);
  v_now public.rollouts;
begin
  insert into public.rollouts (tool) values (v_decision ->> 'tool') on conflict (tool) do nothing;
  if found and p_epoch <> 0 then
    raise exception 'nothing was ever decided about %', v_decision ->> 'tool' using errcode = 'PT409', detail = 'stage_moved';
  end if;
  select * into v_now from public.rollouts r where r.tool = v_decision ->> 'tool' for update;
  if not exists (select from public.rollout_events e where e.decision_id = (v_decision ->> 'decision_id')::uuid)
    and (v_now.epoch <> p_epoch or (p_stage is not null and v_now.stage <> p_stage)) then
    raise exception '% is in the stage % (epoch %) by now', v_now.tool, v_now.stage, v_now.epoch
      using errcode = 'PT409', detail = 'stage_moved', hint = 'Look at the stage again.';
  end if;
  return public.decide_rollout(v_decision);
end $$;
comment on function public.move_stage is
  'decide_rollout, where the tool is still in that stage (null: nothing was decided) and epoch. PT409 stage_moved where somebody else was first.';

revoke execute on function public.move_stage from public, anon, authenticated;
grant execute on function public.move_stage to service_role;
