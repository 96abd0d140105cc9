"""One file a version of the tables; a file that was released is never changed."""
