"""Labels of pictures: classes and masks, read; files of labels, moved with their picture."""
