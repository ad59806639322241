"""The pages of figures, from what commands measured: ``python -m software.study.figures``.

``docs/measurements.md`` is rendered whole. README holds marks, ``<!-- figures: NAME -->`` up to
``<!-- end -->``, and what stands between them is the template of that name. Figures come from the
JSON files in docs/, which the commands made that each section names; a test holds both pages to
them, so that no figure in one is typed by hand.
"""
