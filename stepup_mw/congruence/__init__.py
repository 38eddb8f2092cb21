"""Holds a policy and an app's router together: every spelling of a request that reaches a handler of the app must meet
the rule of that handler. The operators, what servers make of a target, the judge, and the hunt for a way past."""
