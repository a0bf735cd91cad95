"""What takes the rows that a run logs: CSV files, TensorBoard, trackers of experiments, functions of one's own.

What takes rows (`write`, `close`) or reads them belongs here; what a row contains is up to its worker.
"""

from tfacme.loggers.background import CLOSE_SECONDS as CLOSE_SECONDS
from tfacme.loggers.background import wait as wait
from tfacme.loggers.base import Log as Log
from tfacme.loggers.base import Logger as Logger
from tfacme.loggers.base import MemoryLogger as MemoryLogger
from tfacme.loggers.base import Row as Row
from tfacme.loggers.base import Tee as Tee
from tfacme.loggers.base import write_image as write_image
from tfacme.loggers.csv_logger import CSVLogger as CSVLogger
from tfacme.loggers.csv_logger import files as files
from tfacme.loggers.csv_logger import keep_until as keep_until
from tfacme.loggers.csv_logger import read as read
from tfacme.loggers.each_row import EachRow as EachRow
from tfacme.loggers.factory import NAMED as NAMED
from tfacme.loggers.factory import Maker as Maker
from tfacme.loggers.factory import chosen as chosen
from tfacme.loggers.factory import make_logger as make_logger
from tfacme.loggers.factory import names as names
from tfacme.loggers.mlflow_logger import MLflow as MLflow
from tfacme.loggers.node_columns import COLUMNS as COLUMNS
from tfacme.loggers.node_columns import NodeColumns as NodeColumns
from tfacme.loggers.of_run import OfRun as OfRun
from tfacme.loggers.tensorboard_logger import TensorBoard as TensorBoard
from tfacme.loggers.tensorboard_logger import TensorBoardLogger as TensorBoardLogger
from tfacme.loggers.wandb_logger import WandB as WandB
