"""Where the package meets other worlds; each module needs the library that it is named after."""
