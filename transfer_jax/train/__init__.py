"""Training: one loop and one step for every training, and hooks for everything else.

Knows batches, not data sets. `recipe` is what a user writes, `schedule` what a member follows,
`step` the pure function, `population` where members live, `loop` what drives them, `judge` what
judges them, `evaluator` what keeps the results, `tracker` where it is logged, and `checkpoint` what
an interrupted training resumes from.
"""
