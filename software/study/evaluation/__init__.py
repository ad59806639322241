"""What token reduction costs in quality, measured on the shipped model: ``orbis evaluate``.

``experiment`` says what is measured, ``methods`` and ``ablation`` which ways of reducing,
``workers`` spread the measuring over processes. Each further file is one section: what a worker
measures for it, and what that comes to. ``report`` joins the sections, and ``page`` shows them.
"""
