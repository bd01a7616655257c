"""The version, of the package as well: looking it up in the installed one takes a hundredth of a cold check."""

VERSION = "0.1.0"
