"""The kernel of a dump for volatility3's own way to run plugins, which would search all memory for it."""

from pathlib import Path
from typing import Any

from volatility3.framework import constants, interfaces
from volatility3.framework.automagic import symbol_cache
from volatility3.framework.configuration import requirements

from ntlens.volatility._layer import DumpLayer
from ntlens.volatility._table import identity, table

_join = interfaces.configuration.path_join


class DumpKernel(interfaces.automagic.AutomagicInterface):
    """Tells where the kernel of a `DumpLayer` is, and gives its types if volatility3 has no table of it."""

    #: When the layers are there, and before volatility3 searches the kernel.
    priority = 25
    exclusion_list = ["linux", "mac"]  # noqa: RUF012 (as volatility3 has it)

    def __call__(
        self,
        context: interfaces.context.ContextInterface,
        config_path: str,
        requirement: interfaces.configuration.RequirementInterface,
        progress_callback: constants.ProgressCallback = None,
    ) -> list[Any] | None:
        """Fulfils what needs the symbols of a kernel on such a layer."""
        kind = requirements.SymbolTableRequirement
        for path, wanted in self.find_requirements(context, config_path, requirement, kind):
            parent = interfaces.configuration.parent_path(path)
            layer = _join(parent, "layer_name")
            memory = context.layers.get(context.config.get(_join(layer, "memory_layer"), None), None)
            if isinstance(memory, DumpLayer) and memory.dump.info.layout_origin == "exact":
                context.config[_join(layer, "kernel_virtual_offset")] = memory.dump.info.kernel_base
                context.config[_join(path, "class")] = (
                    "volatility3.framework.symbols.windows.WindowsKernelIntermedSymbols"
                )
                known = _known_table(memory)
                if known is not None:
                    context.config[_join(path, "isf_url")] = known
                    wanted.construct(context, parent)
                    continue
                with table(memory.dump, None) as url:
                    context.config[_join(path, "isf_url")] = url
                    wanted.construct(context, parent)
        return None


def _known_table(memory: DumpLayer) -> str | None:
    """The table that volatility3 has in one of its folders of symbols."""
    known = identity(memory.dump)
    if known is None:
        return None
    cache = symbol_cache.SqliteCache(str(Path(constants.CACHE_PATH) / constants.IDENTIFIERS_FILENAME))
    for name in constants.windows.KERNEL_MODULE_NAMES:
        found: str | None = cache.find_location(
            symbol_cache.WindowsIdentifier.generate(f"{name}.pdb", *known), "windows"
        )
        if found:
            return found
    return None
