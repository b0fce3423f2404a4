"""The errors that users of `mongodb_orm` meet.

    MongoDBORMError
    ├── ConfigurationError            (ValueError)    settings that cannot work
    ├── RegistrationError                             a model or module that cannot be registered
    ├── ModelNotInitializedError                      a model that was never registered
    ├── NotSupportedError                             this backend, server or model cannot do that
    ├── EmbeddedServerError                           the embedded mongod cannot be found or started
    ├── ConnectionError               (builtins)      no server, or the connection broke
    │   └── ConnectionClosedError                     the client was closed, or belongs to another loop
    ├── TimeoutError                  (builtins)      the deadline passed
    ├── QueryError                    (ValueError)    a condition, sort or projection that makes no sense
    │   ├── UnknownFieldError                         the model has no such field
    │   ├── UnknownLookupError                        there is no such lookup
    │   ├── InvalidValueError                         the value does not fit the field
    │   ├── InvalidTokenError                         a page token that was not made here, or for another query
    │   └── UnsafeQueryError                          operator injection, or JavaScript that nobody asked for
    ├── DocumentError                                 one document is at fault
    │   ├── DocumentNotFoundError                     it is not (or no longer) there
    │   ├── MultipleDocumentsError                    one was asked for and more were found
    │   ├── DuplicateDocumentError                    a unique index refuses it
    │   ├── StaleDocumentError                        somebody saved it in the meantime
    │   ├── CorruptDocumentError                      what is stored does not fit the model
    │   ├── UnloadedFieldError        (AttributeError) the field was not loaded
    │   └── UnencodableValueError     (ValueError)    BSON cannot hold the value
    │       └── DocumentTooLargeError                 over 16 MiB
    ├── BulkError                                     part of a bulk write failed
    │   └── BulkDuplicateError                        ... because of a unique index; a DuplicateDocumentError too
    ├── IndexConflictError                            the index exists with other options
    └── OperationError                                the server refused the operation
        ├── UnconfirmedWriteError                     stored, but not confirmed by enough members
        ├── MissingIndexError                         a search by words or distance needs an index
        └── TransactionError                          a transaction could not go on
            └── TransientTransactionError             ... for a passing reason: do all of it again

`ValidationError` is Pydantic's own. `ConnectionError` and `TimeoutError` are the builtins' children, so code that
knows only the builtins catches them too.
"""

from pydantic import ValidationError

from .connections import (
    ConfigurationError,
    ConnectionClosedError,
    ConnectionError,
    EmbeddedServerError,
    ModelNotInitializedError,
    NotSupportedError,
    RegistrationError,
    TimeoutError,
)
from .documents import (
    CorruptDocumentError,
    DocumentError,
    DocumentNotFoundError,
    DocumentTooLargeError,
    DuplicateDocumentError,
    MultipleDocumentsError,
    StaleDocumentError,
    UnencodableValueError,
    UnloadedFieldError,
)
from .operations import (
    BulkDuplicateError,
    BulkError,
    BulkFailure,
    IndexConflictError,
    MissingIndexError,
    OperationError,
    TransactionError,
    TransientTransactionError,
    UnconfirmedWriteError,
)
from .queries import (
    InvalidTokenError,
    InvalidValueError,
    QueryError,
    UnknownFieldError,
    UnknownLookupError,
    UnsafeQueryError,
)
from .root import (
    MongoDBORMError,
)
from .validation import refused, relocated, shifted

__all__ = [
    "BulkDuplicateError",
    "BulkError",
    "BulkFailure",
    "ConfigurationError",
    "ConnectionClosedError",
    "ConnectionError",
    "CorruptDocumentError",
    "DocumentError",
    "DocumentNotFoundError",
    "DocumentTooLargeError",
    "DuplicateDocumentError",
    "EmbeddedServerError",
    "IndexConflictError",
    "InvalidTokenError",
    "InvalidValueError",
    "MissingIndexError",
    "ModelNotInitializedError",
    "MongoDBORMError",
    "MultipleDocumentsError",
    "NotSupportedError",
    "OperationError",
    "QueryError",
    "RegistrationError",
    "StaleDocumentError",
    "TimeoutError",
    "TransactionError",
    "TransientTransactionError",
    "UnconfirmedWriteError",
    "UnencodableValueError",
    "UnknownFieldError",
    "UnknownLookupError",
    "UnloadedFieldError",
    "UnsafeQueryError",
    "ValidationError",
    "refused",
    "relocated",
    "shifted",
]
