-- The status has the form of kstatus: observedGeneration, and the conditions Ready, Reconciling and Stalled, of which
-- exactly one is True unless the object is suspended.
-- https://github.com/provider-secrets/provider-secrets/blob/main/docs/reference.md#conditions
local hs = { status = "Progressing", message = "Waiting for provider-secrets to act on the object" }

local is_true = {}
local ready = {}
if obj.status ~= nil and obj.status.conditions ~= nil then
  for _, condition in ipairs(obj.status.conditions) do
    if condition.status == "True" then
      is_true[condition.type] = condition
    end
    if condition.type == "Ready" then
      ready = condition
    end
  end
end

if obj.metadata.deletionTimestamp ~= nil then
  hs.message = "Waiting for what the object wrote to be deleted"
  if ready.reason == "DeletionBlocked" then
    hs.message = ready.message
  end
  return hs
end

-- Before the operator has seen an object for the first time observedGeneration is -1.
if obj.status == nil or obj.status.observedGeneration ~= obj.metadata.generation then
  return hs
end

if is_true.Stalled ~= nil then
  hs.status = "Degraded"
  hs.message = is_true.Stalled.message
elseif is_true.Suspended ~= nil then
  hs.status = "Suspended"
  hs.message = is_true.Suspended.message
elseif ready.reason == "AwaitingApproval" then
  hs.status = "Suspended"
  hs.message = ready.message
elseif is_true.Reconciling ~= nil then
  hs.message = is_true.Reconciling.message
elseif is_true.Ready ~= nil then
  hs.status = "Healthy"
  hs.message = is_true.Ready.message
end
return hs
