"""The pages of figures, from what commands measured: ``python -m software.study.figures``.

``docs/measurements.md`` is rendered whole. Other pages hold marks, ``<!-- figures: NAME -->`` up to
``<!-- end -->``, and what stands between them is the template of that name. Figures come from the
JSON files in docs/, which the commands made that each section names; a test holds all pages to
them, so that no figure in one is typed by hand.
"""
