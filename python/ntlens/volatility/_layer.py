"""The physical memory of a dump as a layer of volatility3."""

import bisect
import io
from collections.abc import Iterable, Iterator
from typing import Any

from volatility3.framework import constants, exceptions, interfaces
from volatility3.framework.configuration import requirements

import ntlens

_PAGE = 0x1000
#: Pages that are kept: page tables are read again and again, a few bytes at a time.
_PAGES = 4096
#: How a dump of an x64 system begins, whatever its type.
_SIGNATURE = b"PAGEDU64"


class DumpLayer(interfaces.layers.DataLayerInterface):
    """The physical memory that a dump holds, with its holes.

    It tells the layer above where the page tables of the kernel are, so that they are not searched. volatility3 makes
    it from its configuration, on the layer of a file; whoever has a dump gives it as `dump`.
    """

    def __init__(
        self,
        context: interfaces.context.ContextInterface,
        config_path: str,
        name: str,
        metadata: dict[str, Any] | None = None,
        dump: ntlens.Dump | None = None,
    ) -> None:
        super().__init__(context, config_path, name, metadata)
        self._base_layer: str | None = None
        if dump is None:
            self._base_layer = self.config["base_layer"]
            dump = ntlens.open(_LayerFile(context.layers[self._base_layer]))
        self.dump = dump
        self._starts, self._ends = _stretches(dump)
        self._pages: dict[int, bytes] = {}
        info = dump.info
        root = info.system_dtb if info.system_dtb is not None else info.dtb
        known = {"os": "Windows", "architecture": "Intel64", "page_map_offset": root}
        self._metadata: dict[str, Any] = known | (metadata or {})

    @property
    def maximum_address(self) -> int:
        """The last address that the dump describes."""
        return self._ends[-1] - 1

    @property
    def minimum_address(self) -> int:
        """The first address there is."""
        return 0

    def is_valid(self, offset: int, length: int = 1) -> bool:
        """Whether the dump holds all of these bytes."""
        place = bisect.bisect_right(self._starts, offset) - 1
        return place >= 0 and offset + length <= self._ends[place]

    def read(self, offset: int, length: int, pad: bool = False) -> bytes:
        """Bytes; where the dump holds none an exception, or with `pad` zeros."""
        number, start = divmod(offset, _PAGE)
        if start + length <= _PAGE:
            page = self._pages.get(number)
            if page is None and self.is_valid(number * _PAGE, _PAGE):
                page = self._keep(number, self._stretch(number * _PAGE, _PAGE, pad))
            if page is not None:
                return page[start : start + length]
        pieces, at = [], offset
        for begin, end in self._held(offset, offset + length):
            pieces.append(self._hole(at, begin, pad))
            pieces.append(self._stretch(begin, end - begin, pad))
            at = end
        pieces.append(self._hole(at, offset + length, pad))
        return b"".join(pieces)

    def write(self, offset: int, data: bytes) -> None:
        """A dump is read, never written."""
        raise NotImplementedError("a dump is read, never written")

    @property
    def dependencies(self) -> list[str]:
        """The layer of the file, if that is where the dump comes from."""
        return [] if self._base_layer is None else [self._base_layer]

    @classmethod
    def get_requirements(cls) -> list[interfaces.configuration.RequirementInterface]:
        """The layer of the file."""
        return [requirements.TranslationLayerRequirement(name="base_layer", optional=True)]

    def _keep(self, number: int, page: bytes) -> bytes:
        if len(self._pages) >= _PAGES:
            self._pages.clear()
        self._pages[number] = page
        return page

    def _hole(self, start: int, end: int, pad: bool) -> bytes:
        if start < end and not pad:
            raise exceptions.InvalidAddressException(self.name, start, f"the dump does not hold {start:#x}")
        return bytes(end - start)

    def _stretch(self, start: int, length: int, pad: bool) -> bytes:
        """Bytes that the dump says it holds."""
        try:
            return self.dump.read_physical(start, length)
        except ntlens.NotInDumpError as error:
            if pad:
                return b"".join(self._or_zeros(*part) for part in _by_page(start, start + length))
            raise exceptions.InvalidAddressException(self.name, start, str(error)) from error

    def _or_zeros(self, start: int, end: int) -> bytes:
        try:
            return self.dump.read_physical(start, end - start)
        except ntlens.NotInDumpError:
            return bytes(end - start)

    def _held(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        """What of a range the dump holds."""
        place = max(bisect.bisect_right(self._starts, start) - 1, 0)
        while place < len(self._starts) and self._starts[place] < end:
            begin, stop = max(start, self._starts[place]), min(end, self._ends[place])
            if begin < stop:
                yield begin, stop
            place += 1

    def _scan_iterator(
        self, scanner: interfaces.layers.ScannerInterface, sections: Iterable[tuple[int, int]]
    ) -> Iterator[tuple[list[tuple[str, int, int]], int]]:
        """The pieces that a scanner sees. volatility3 takes a layer for one without holes, and skips 16 MiB for one."""
        for start, length in sections:
            for begin, end in self._held(start, start + length):
                for at in range(begin, end, scanner.chunk_size):
                    size = min(end - at, scanner.chunk_size + scanner.overlap)
                    yield [(self.name, at, size)], at + size


class DumpStacker(interfaces.automagic.StackerLayerInterface):
    """Puts a `DumpLayer` on a file that is a dump, after volatility3's own layers had the choice."""

    stack_order = 12
    exclusion_list = ["linux", "mac"]  # noqa: RUF012 (as volatility3 has it)

    @classmethod
    def stack(
        cls,
        context: interfaces.context.ContextInterface,
        layer_name: str,
        progress_callback: constants.ProgressCallback = None,
    ) -> interfaces.layers.DataLayerInterface | None:
        """The layer, or None for what is no dump."""
        try:
            if context.layers[layer_name].read(0, len(_SIGNATURE)) != _SIGNATURE:
                return None
        except exceptions.InvalidAddressException:
            return None
        name = context.layers.free_layer_name(DumpLayer.__name__)
        context.config[interfaces.configuration.path_join(name, "base_layer")] = layer_name
        return DumpLayer(context, name, name)


class _LayerFile(io.RawIOBase):
    """A layer as a file: whatever volatility3 opens, ntlens can read, and nothing is read that is not needed."""

    def __init__(self, layer: interfaces.layers.DataLayerInterface) -> None:
        self._layer = layer
        self._size = layer.maximum_address + 1
        self._position = 0
        self.name = str(getattr(layer, "location", layer.name))

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        self._position = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        return self._position

    def read(self, size: int = -1, /) -> bytes:
        left = max(self._size - self._position, 0)
        length = left if size < 0 else min(size, left)
        data: bytes = self._layer.read(self._position, length)
        self._position += len(data)
        return data


def _by_page(start: int, end: int) -> Iterator[tuple[int, int]]:
    """A range, cut where pages begin."""
    while start < end:
        stop = min(end, (start // _PAGE + 1) * _PAGE)
        yield start, stop
        start = stop


def _stretches(dump: ntlens.Dump) -> tuple[list[int], list[int]]:
    """Where the stretches of memory that the file holds begin and end, in their order."""
    held = [(row.start, row.start + row.bytes_present) for row in dump.coverage() if row.space == "physical"]
    starts: list[int] = []
    ends: list[int] = []
    for start, end in sorted(part for part in held if part[0] < part[1]):
        if ends and start <= ends[-1]:
            ends[-1] = max(ends[-1], end)
        else:
            starts.append(start)
            ends.append(end)
    if not starts:
        raise ntlens.Error(f"{dump.name}: the dump holds no physical memory, which volatility3 works on")
    return starts, ends
