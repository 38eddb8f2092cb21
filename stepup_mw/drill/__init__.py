"""The fault lab: a trail of its own, on the user's machine and configuration, put through what trails meet.

    values      what a drill is told in: scenarios, findings, results
    catalogue   the scenarios, described
    acts        what a writing process does, and what is done to it; faults: at which system call
    attacks     what a forger does, as functions from a copy to a copy
    stage       processes to kill: the child that forks them, the actor, the calls that fail in it
    lab         the scratch folder, and the question asked after everything: is it whole, and is nothing lost?
    crash disk processes anchors tampering marking    the families: one module runs each
    run, report what is done in which order, and what an auditor gets

Never touches the service's own trail but for two lines in it, ``drill/begun`` and ``drill/ended``. Every line of a
drill's own trails says ``"service":"drill:<service>"``, a name no service can have, and is signed by a key that exists
as long as the drill.
"""
