//! Everything that is tested through the library's and the program's outer face, in one binary.

mod locate;
