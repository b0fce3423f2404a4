"""Progress bars for bulk writes; the extra `progress`."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Self

from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as RichBars
from tqdm import tqdm


class TqdmProgress:
    """A bar of tqdm's, as the `progress` of a bulk write.

    Example:
        >>> with TqdmProgress(desc="users") as progress:
        ...     await User.bulk_insert(rows, progress=progress)
    """

    def __init__(self, **options: Any) -> None:
        """Make a bar; the options are those of `tqdm`."""
        self.bar: Any = tqdm(**options)

    def __call__(self, done: int, total: int | None) -> None:
        """Show how many are done."""
        self.bar.total = total if total is not None else self.bar.total
        self.bar.update(done - self.bar.n)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.bar.close()


class RichProgress:
    """A bar of Rich's, as the `progress` of a bulk write.

    Where nobody knows how many there are, it counts, and is full when the block ends without an error.

    Example:
        >>> with RichProgress("users") as progress:
        ...     await User.bulk_insert(rows, progress=progress)
    """

    def __init__(self, description: str = "", bars: RichBars | None = None, *, total: int | None = None) -> None:
        """Make a bar.

        Args:
            description: What stands beside the bar.
            bars: Your own bars, to which this one is added. When they are shown already, they stay so after the block.
            total: How many there are, where the write itself cannot know: of a generator, say.
        """
        self.bars: RichBars = bars or RichBars(
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
        )
        self._task = self.bars.add_task(description, total=total)
        self._is_ours = False

    def __call__(self, done: int, total: int | None) -> None:
        """Show how many are done."""
        self.bars.update(self._task, completed=done, total=total)

    def __enter__(self) -> Self:
        self._is_ours = not self.bars.live.is_started
        self.bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        task = next((task for task in self.bars.tasks if task.id == self._task), None)
        if task is not None and error is None and task.total is None:
            self.bars.update(self._task, total=task.completed)
        if self._is_ours:
            self.bars.stop()
