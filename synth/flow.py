"""Maps a design to a cell library, module by module.

Structurally identical modules are one before they are mapped (hw.emit.module_merge), so each is
mapped once and counted by its instances; hierarchy is kept, and nothing is optimised across it,
unless the design is flattened first. Memories that are SRAM are not mapped (synth.memories). What
the figures are not: synth.report.caveats.
"""

import os
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from hw.emit.rtlil import RtlilModule, black_box, to_text
from synth import yosys
from synth.cache import Cache
from synth.liberty import Library
from synth.mapped import Endpoint, LongestPath, MappedDesign, MappedModule, short_path
from synth.mapping import Flow, Mapping, choose, map_module, passes, side_files
from synth.memories import BLACK_BOX, macros
from synth.sram import Macro

TOP = "top"
"""Name to give to a design's top module."""
Ended = Callable[[str, int, int], None]
"""Called as a module is mapped: its name, how many are by now, and how many were to be."""
_FORMAT = "1"
"""Of what is kept; to change with what `Mapping` holds or how it is read from the log."""
_ROOTS = ("/site-packages/", f"{Path(__file__).parent.parent}/")


def find_unit(design: Sequence[RtlilModule], unit: str) -> str:
    """The module of a design that is meant by its path, as reports list it, or its last part.

    Raises:
        ValueError: no module of that name, or several.
    """
    paths = {short_path(module.name[1:]): module.name[1:] for module in design}
    if unit in paths:
        return paths[unit]
    found = [path for path in paths if path.rsplit(".", 1)[-1] == unit]
    if len(found) > 1:
        raise ValueError(f"unit is {unit!r}, which is any of {', '.join(found)}; name one of them.")
    if not found:
        known = sorted({path.rsplit(".", 1)[-1] for path in paths})
        raise ValueError(f"unit is {unit!r}; it must be one of {', '.join(known)}.")
    return paths[found[0]]


def map_design(
    design: Sequence[RtlilModule],
    library: Library,
    *,
    top: str = TOP,
    flow: Flow | None = None,
    cache: Path | None = None,
    with_netlist: bool = False,
    ended: Ended | None = None,
    jobs: int | None = None,
) -> MappedDesign:
    """Map the module ``top`` of a design and all that is in it.

    Args:
        design: from hw.emit.verilog.modules_of.
        library: the cells.
        top: a module of the design.
        flow: how; for 1 ns, module by module, by default.
        cache: folder that keeps what each module came to, by its text, library and flow.
        with_netlist: whether the mapped modules themselves are wanted.
        ended: called as each module that was not kept is mapped.
        jobs: modules that are mapped side by side; one a core by default.

    Raises:
        ValueError: full adders are asked for that the library has not, or a memory that is no
            macro (synth.memories).
        YosysError: a pass failed.
    """
    flow = flow or Flow()
    if flow.full_adders and not library.full_adder:
        raise ValueError(f"library {library.name} holds no full adder that adds three bits.")
    sources = reachable({module.name[1:]: module for module in design}, top)
    held = {name: macros(module) for name, module in sources.items()}
    if flow.flat:
        held = {top: _all(sources, held, top)}
    kept = Cache(cache)
    results = _results(sources, list(held), flow, library, kept, with_netlist, ended, jobs)
    chosen = {name: choose(results[name], flow, library) for name in held}
    modules = {name: _module(name, chosen[name], sources, library, held[name]) for name in held}
    return MappedDesign(library, top, modules, flow)


def reachable(modules: dict[str, RtlilModule], top: str) -> dict[str, RtlilModule]:
    """The modules below ``top``, itself first, in the design's order: parents come first."""
    wanted = [top]
    for name in wanted:
        wanted += [child for child in _children(modules[name], modules) if child not in wanted]
    return {name: module for name, module in modules.items() if name in wanted}


def _children(module: RtlilModule, modules: dict[str, RtlilModule]) -> Counter[str]:
    """The modules that a module instantiates, with how often it does."""
    return Counter(cell.kind[1:] for cell in module.cells if cell.kind[1:] in modules)


def _all(
    modules: dict[str, RtlilModule], held: dict[str, tuple[Macro, ...]], name: str
) -> tuple[Macro, ...]:
    """The macros of a module and of all that is in it."""
    found = held[name]
    for child, count in _children(modules[name], modules).items():
        found += _all(modules, held, child) * count
    return found


def _results(
    sources: dict[str, RtlilModule],
    names: Sequence[str],
    flow: Flow,
    library: Library,
    cache: Cache,
    with_netlist: bool,
    ended: Ended | None,
    jobs: int | None,
) -> dict[str, list[Mapping]]:
    """The mappings of each module, from the cache or else from Yosys, a process each."""
    texts = {
        name: to_text(list(sources.values()) if flow.flat else alone(name, sources))
        for name in names
    }
    common: list[str | bytes] = [_FORMAT, yosys.VERSION, *side_files(library).values()]
    common += library.files
    keys = {
        name: Cache.key([*common, *passes(name, flow, library, with_netlist=with_netlist), text])
        for name, text in texts.items()
    }
    results = {
        name: [Mapping(*each) for each in kept] for name in names if (kept := cache.get(keys[name]))
    }
    jobs, processes = jobs or len(os.sched_getaffinity(0)), yosys.Processes()
    with ThreadPoolExecutor(jobs) as pool:
        running = {
            pool.submit(
                map_module,
                name,
                texts[name],
                flow,
                library,
                with_netlist=with_netlist,
                processes=processes,
            ): name
            for name in names
            if name not in results
        }
        try:
            for number, future in enumerate(as_completed(running)):
                name = running[future]
                results[name] = future.result()
                cache.put(keys[name], results[name])
                if ended:
                    ended(name, number + 1, len(running))
        except BaseException:
            processes.end()  # an interrupted run would wait for them, minutes
            pool.shutdown(cancel_futures=True)
            raise
    return results


def alone(name: str, sources: dict[str, RtlilModule]) -> list[RtlilModule]:
    """A module, and black boxes in the place of its children."""
    children = _children(sources[name], sources)
    return [sources[name], *(black_box(sources[child]) for child in children)]


def _module(
    name: str,
    result: Mapping,
    sources: dict[str, RtlilModule],
    library: Library,
    held: tuple[Macro, ...],
) -> MappedModule:
    cells = {kind: count for kind, count in result.cells.items() if kind in library.cells}
    children = {kind: count for kind, count in result.cells.items() if kind in sources}
    strange = set(result.cells) - set(cells) - set(children) - {BLACK_BOX}
    if strange:
        listed = ", ".join(sorted(strange))
        raise yosys.YosysError(f"module {name} holds cells that were not mapped: {listed}")
    if result.cells.get(BLACK_BOX, 0) != len(held):
        raise yosys.YosysError(
            f"module {name} has {len(held)} memories, but {result.cells.get(BLACK_BOX, 0)} were"
            " mapped"
        )
    adder = library.full_adder
    blind = adder is not None and adder.cell in cells
    return MappedModule(
        name=name,
        area=library.area(cells),
        cells=cells,
        flip_flops=sum(n for kind, n in cells.items() if library.cells[kind].is_flip_flop),
        macros=held,
        children=children,
        holds_full_adders=blind,
        netlist=result.netlist,
        path=_path(*result.path, sources[name]) if result.path and not blind else None,
    )


def _path(delay: float, start: str, end: str, source: RtlilModule) -> LongestPath:
    return LongestPath(delay, _endpoint(start, source), _endpoint(end, source))


def _endpoint(net: str, source: RtlilModule) -> Endpoint:
    """A net as Amaranth knows it; its source begins at a package's name, or this project's root."""
    wire = source.wires.get(net.split(" ")[0])
    where = wire.source if wire else ""
    here = next((where.split(root, 1)[1] for root in _ROOTS if root in where), "")
    return Endpoint(net.removeprefix("\\"), here)
