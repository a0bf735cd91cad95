"""What a run logs: rows of numbers, as CSV files and TensorBoard events, and the curves drawn from them.

What takes rows (`write`, `close`) or reads them belongs here; what a row contains is up to its worker.
"""

from tfacme.loggers.base import Logger as Logger
from tfacme.loggers.base import MemoryLogger as MemoryLogger
from tfacme.loggers.base import Row as Row
from tfacme.loggers.base import Tee as Tee
from tfacme.loggers.csv_logger import CSVLogger as CSVLogger
from tfacme.loggers.csv_logger import keep_until as keep_until
from tfacme.loggers.csv_logger import read as read
from tfacme.loggers.factory import make_logger as make_logger
from tfacme.loggers.tensorboard_logger import TensorBoardLogger as TensorBoardLogger
