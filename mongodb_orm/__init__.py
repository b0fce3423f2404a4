"""An async MongoDB ODM: Pydantic classes that are documents."""

from .aggregation import Aggregation
from .codec import register_encoder
from .commands import Command
from .compiler.operators import register_lookup
from .connections import (
    ConnectionManager,
    DatabaseConfig,
    close_all_connections,
    health_check,
    health_report,
    start_embedded,
    stop_embedded,
)
from .exceptions import (
    BulkDuplicateError,
    BulkError,
    BulkFailure,
    ConfigurationError,
    ConnectionClosedError,
    ConnectionError,
    CorruptDocumentError,
    DocumentError,
    DocumentNotFoundError,
    DocumentTooLargeError,
    DuplicateDocumentError,
    EmbeddedServerError,
    IndexConflictError,
    InvalidTokenError,
    InvalidValueError,
    ModelNotInitializedError,
    MongoDBORMError,
    MultipleDocumentsError,
    NotSupportedError,
    OperationError,
    QueryError,
    RegistrationError,
    StaleDocumentError,
    TimeoutError,
    TransactionError,
    UnencodableValueError,
    UnknownFieldError,
    UnknownLookupError,
    UnloadedFieldError,
    UnsafeQueryError,
    ValidationError,
)
from .expressions import Condition, FieldPath, Q
from .logs import setup_logging
from .mixins import SoftDeleteMixin
from .model import BaseModel
from .queryset import KeysetPage, Page, QuerySet
from .registration import register_all_models, register_model, register_models
from .schema import IndexSpec, ModelConfig
from .testing import create_test_data
from .timestamps import current_datetime
from .types import HealthReport, ObjectId, UpdateResult

__version__ = "0.1.0"

__all__ = [
    "Aggregation",
    "BaseModel",
    "BulkDuplicateError",
    "BulkError",
    "BulkFailure",
    "Command",
    "Condition",
    "ConfigurationError",
    "ConnectionClosedError",
    "ConnectionError",
    "ConnectionManager",
    "CorruptDocumentError",
    "DatabaseConfig",
    "DocumentError",
    "DocumentNotFoundError",
    "DocumentTooLargeError",
    "DuplicateDocumentError",
    "EmbeddedServerError",
    "FieldPath",
    "HealthReport",
    "IndexConflictError",
    "IndexSpec",
    "InvalidTokenError",
    "InvalidValueError",
    "KeysetPage",
    "ModelConfig",
    "ModelNotInitializedError",
    "MongoDBORMError",
    "MultipleDocumentsError",
    "NotSupportedError",
    "ObjectId",
    "OperationError",
    "Page",
    "Q",
    "QueryError",
    "QuerySet",
    "RegistrationError",
    "SoftDeleteMixin",
    "StaleDocumentError",
    "TimeoutError",
    "TransactionError",
    "UnencodableValueError",
    "UnknownFieldError",
    "UnknownLookupError",
    "UnloadedFieldError",
    "UnsafeQueryError",
    "UpdateResult",
    "ValidationError",
    "__version__",
    "close_all_connections",
    "create_test_data",
    "current_datetime",
    "health_check",
    "health_report",
    "register_all_models",
    "register_encoder",
    "register_lookup",
    "register_model",
    "register_models",
    "setup_logging",
    "start_embedded",
    "stop_embedded",
]
