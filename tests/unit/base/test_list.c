#include <string.h>

#include <CUnit/CUnit.h>

#include "pgweir/base/list.h"

void suite_list(void);

struct item {
    char name;
    struct link in_list;
};

struct fixture {
    struct list list;
    struct list other;
    struct item a, b, c;
};

static void
fixture_init(struct fixture *f)
{
    list_init(&f->list);
    list_init(&f->other);
    f->a.name = 'a';
    f->b.name = 'b';
    f->c.name = 'c';
    link_init(&f->a.in_list);
    link_init(&f->b.in_list);
    link_init(&f->c.in_list);
}

static void
fixture_push_all(struct fixture *f)
{
    list_push_last(&f->list, &f->a.in_list);
    list_push_last(&f->list, &f->b.in_list);
    list_push_last(&f->list, &f->c.in_list);
}

/* Whether LIST reads as NAMES in both directions. */
static bool
reads(const struct list *list, const char *names)
{
    size_t count = strlen(names);
    size_t i = 0;

    for (const struct link *l = list_first(list); l != NULL; l = list_next(list, l), i++) {
        if (i == count || CONTAINER_OF_CONST(l, struct item, in_list)->name != names[i])
            return false;
    }
    if (i != count)
        return false;
    for (const struct link *l = list->head.prev; l != &list->head; l = l->prev) {
        if (i == 0 || CONTAINER_OF_CONST(l, struct item, in_list)->name != names[--i])
            return false;
    }
    return i == 0;
}

static void
a_new_list_is_empty(void)
{
    struct fixture f;

    fixture_init(&f);
    CU_ASSERT_TRUE(list_is_empty(&f.list));
    CU_ASSERT_PTR_NULL(list_first(&f.list));
    CU_ASSERT_PTR_NULL(list_last(&f.list));
    CU_ASSERT_FALSE(link_is_in(&f.a.in_list));
}

static void
links_stand_where_they_were_pushed(void)
{
    struct fixture f;

    fixture_init(&f);
    list_push_last(&f.list, &f.b.in_list);
    list_push_last(&f.list, &f.c.in_list);
    list_push_first(&f.list, &f.a.in_list);
    CU_ASSERT_TRUE(reads(&f.list, "abc"));
    CU_ASSERT_TRUE(link_is_in(&f.b.in_list));
    CU_ASSERT_PTR_EQUAL(list_first(&f.list), &f.a.in_list);
    CU_ASSERT_PTR_EQUAL(list_last(&f.list), &f.c.in_list);
    CU_ASSERT_PTR_NULL(list_next(&f.list, &f.c.in_list));
}

static void
a_link_is_inserted_behind_another(void)
{
    struct fixture f;

    fixture_init(&f);
    list_push_last(&f.list, &f.a.in_list);
    list_push_last(&f.list, &f.c.in_list);
    link_insert_after(&f.a.in_list, &f.b.in_list);
    CU_ASSERT_TRUE(reads(&f.list, "abc"));
}

static void
a_removed_link_is_out_and_may_be_removed_again(void)
{
    struct fixture f;

    fixture_init(&f);
    fixture_push_all(&f);
    link_remove(&f.b.in_list);
    link_remove(&f.b.in_list);
    CU_ASSERT_FALSE(link_is_in(&f.b.in_list));
    CU_ASSERT_TRUE(reads(&f.list, "ac"));
    link_remove(&f.a.in_list);
    link_remove(&f.c.in_list);
    CU_ASSERT_TRUE(list_is_empty(&f.list));
}

static void
appending_moves_everything_in_order(void)
{
    struct fixture f;

    fixture_init(&f);
    list_push_last(&f.list, &f.a.in_list);
    list_push_last(&f.other, &f.b.in_list);
    list_push_last(&f.other, &f.c.in_list);
    list_append(&f.list, &f.other);
    CU_ASSERT_TRUE(reads(&f.list, "abc"));
    CU_ASSERT_TRUE(list_is_empty(&f.other));
    list_append(&f.list, &f.other);
    CU_ASSERT_TRUE(reads(&f.list, "abc"));
    list_append(&f.other, &f.list);
    CU_ASSERT_TRUE(reads(&f.other, "abc"));
    CU_ASSERT_TRUE(list_is_empty(&f.list));
}

static void
a_walk_survives_the_removal_of_the_current_link(void)
{
    struct fixture f;
    char seen[4] = "";
    size_t count = 0;

    fixture_init(&f);
    fixture_push_all(&f);
    LIST_EACH(&f.list, it) {
        seen[count++] = CONTAINER_OF(it, struct item, in_list)->name;
        link_remove(it);
    }
    CU_ASSERT_STRING_EQUAL(seen, "abc");
    CU_ASSERT_TRUE(list_is_empty(&f.list));
    LIST_EACH(&f.list, it)
        count++;
    CU_ASSERT_EQUAL(count, 3);
}

void
suite_list(void)
{
    CU_pSuite suite = CU_add_suite("list", NULL, NULL);

    CU_ADD_TEST(suite, a_new_list_is_empty);
    CU_ADD_TEST(suite, links_stand_where_they_were_pushed);
    CU_ADD_TEST(suite, a_link_is_inserted_behind_another);
    CU_ADD_TEST(suite, a_removed_link_is_out_and_may_be_removed_again);
    CU_ADD_TEST(suite, appending_moves_everything_in_order);
    CU_ADD_TEST(suite, a_walk_survives_the_removal_of_the_current_link);
}
