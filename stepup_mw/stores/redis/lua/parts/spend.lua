-- Around a step that uses something up: the count of the life is raised, and answered in front of the step's answer.
-- The last of KEYS is the life's; the step does not see it.
local life = table.remove(KEYS)
local function spend(step)
  local answer = step()
  return {redis.call('HINCRBY', life, 'spent', 1), answer or false}
end
