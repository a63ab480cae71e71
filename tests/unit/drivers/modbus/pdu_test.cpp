#include "drivers/modbus/pdu.h"

#include <gmock/gmock.h>

#include <string>

namespace metergate {
namespace {

using Pdu = std::vector<std::uint8_t>;
using Form = Write::Form;

struct ReadCase {
  Block block;
  Pdu request, answer;
  Words words;
};

class PduReadTest : public ::testing::TestWithParam<ReadCase> {};

TEST_P(PduReadTest, IsTheExampleOfTheSpecification) {
  const ReadCase& example = GetParam();

  const Result<Request> request = to_request(example.block);

  ASSERT_TRUE(request);
  EXPECT_EQ(request->pdu, example.request);
  EXPECT_EQ(fit(*request, example.answer.data(), example.answer.size()), Fit::kAnswer);
  EXPECT_EQ(words_of(example.block, example.answer.data()), example.words);
}

// Modbus Application Protocol V1.1b3, 6.1 to 6.4.
INSTANTIATE_TEST_SUITE_P(
    Specification, PduReadTest,
    ::testing::Values(ReadCase{{Table::kCoil, 19, 19},
                               {0x01, 0x00, 0x13, 0x00, 0x13},
                               {0x01, 0x03, 0xCD, 0x6B, 0x05},
                               {1, 0, 1, 1, 0, 0, 1, 1, 1, 1, 0, 1, 0, 1, 1, 0, 1, 0, 1}},
                      ReadCase{{Table::kDiscrete, 196, 22},
                               {0x02, 0x00, 0xC4, 0x00, 0x16},
                               {0x02, 0x03, 0xAC, 0xDB, 0x35},
                               {0, 0, 1, 1, 0, 1, 0, 1, 1, 1, 0, 1, 1, 0, 1, 1, 1, 0, 1, 0, 1, 1}},
                      ReadCase{{Table::kHolding, 107, 3},
                               {0x03, 0x00, 0x6B, 0x00, 0x03},
                               {0x03, 0x06, 0x02, 0x2B, 0x00, 0x00, 0x00, 0x64},
                               {555, 0, 100}},
                      ReadCase{{Table::kInput, 8, 1}, {0x04, 0x00, 0x08, 0x00, 0x01}, {0x04, 0x02, 0x00, 0x0A}, {10}}));

struct WriteCase {
  Write write;
  Pdu request, answer;
};

class PduWriteTest : public ::testing::TestWithParam<WriteCase> {};

TEST_P(PduWriteTest, IsTheExampleOfTheSpecification) {
  const Result<Request> request = to_request(GetParam().write);

  ASSERT_TRUE(request);
  EXPECT_EQ(request->pdu, GetParam().request);
  EXPECT_EQ(fit(*request, GetParam().answer.data(), GetParam().answer.size()), Fit::kAnswer);
}

TEST_P(PduWriteTest, TakesNoEchoWithAnotherAddressOrValue) {
  const Result<Request> request = to_request(GetParam().write);
  ASSERT_TRUE(request);

  for (std::size_t i = 0; i < GetParam().answer.size(); ++i) {
    Pdu answer = GetParam().answer;
    answer[i] ^= 1;
    EXPECT_EQ(fit(*request, answer.data(), answer.size()), Fit::kNone) << "byte " << i;
  }
}

// 6.5, 6.6, 6.11, 6.12; a coil is switched off with 0000.
INSTANTIATE_TEST_SUITE_P(
    Specification, PduWriteTest,
    ::testing::Values(
        WriteCase{{Form::kCoil, 172, {1}}, {0x05, 0x00, 0xAC, 0xFF, 0x00}, {0x05, 0x00, 0xAC, 0xFF, 0x00}},
        WriteCase{{Form::kCoil, 172, {0}}, {0x05, 0x00, 0xAC, 0x00, 0x00}, {0x05, 0x00, 0xAC, 0x00, 0x00}},
        WriteCase{{Form::kRegister, 1, {3}}, {0x06, 0x00, 0x01, 0x00, 0x03}, {0x06, 0x00, 0x01, 0x00, 0x03}},
        WriteCase{{Form::kCoils, 19, {1, 0, 1, 1, 0, 0, 1, 1, 1, 0}},
                  {0x0F, 0x00, 0x13, 0x00, 0x0A, 0x02, 0xCD, 0x01},
                  {0x0F, 0x00, 0x13, 0x00, 0x0A}},
        WriteCase{{Form::kRegisters, 1, {0x000A, 0x0102}},
                  {0x10, 0x00, 0x01, 0x00, 0x02, 0x04, 0x00, 0x0A, 0x01, 0x02},
                  {0x10, 0x00, 0x01, 0x00, 0x02}}));

TEST(PduTest, KnowsAnExceptionOfItsOwnFunctionOnly) {
  const Request request = *to_request(Block{Table::kHolding, 0, 1});

  EXPECT_EQ(fit(request, Pdu{0x83, 0x02}.data(), 2), Fit::kException);
  EXPECT_EQ(fit(request, Pdu{0x84, 0x02}.data(), 2), Fit::kNone);
}

TEST(PduTest, TakesNoAnswerOfAnotherLength) {
  const Request request = *to_request(Block{Table::kHolding, 0, 1});

  EXPECT_EQ(fit(request, Pdu{0x03, 0x04, 0, 1, 0, 2}.data(), 6), Fit::kNone);
  EXPECT_EQ(fit(request, Pdu{0x03, 0x04, 0, 1}.data(), 4), Fit::kNone);
  EXPECT_EQ(fit(request, nullptr, 0), Fit::kNone);
}

TEST(PduTest, CarriesAsMuchAsTheSpecificationLetsAFrame) {
  EXPECT_TRUE(to_request(Block{Table::kHolding, 0, 125}));
  EXPECT_TRUE(to_request(Block{Table::kInput, 65411, 125}));
  EXPECT_TRUE(to_request(Block{Table::kCoil, 0, 2000}));
  EXPECT_TRUE(to_request(Block{Table::kDiscrete, 63536, 2000}));
  EXPECT_TRUE(to_request(Write{Form::kRegisters, 0, Words(123)}));
  EXPECT_TRUE(to_request(Write{Form::kCoils, 0, Words(1968)}));
}

TEST(PduTest, RefusesWhatNoFrameCanCarry) {
  EXPECT_FALSE(to_request(Block{Table::kHolding, 0, 0}));
  EXPECT_FALSE(to_request(Block{Table::kHolding, 0, 126}));
  EXPECT_FALSE(to_request(Block{Table::kCoil, 0, 2001}));
  EXPECT_FALSE(to_request(Block{Table::kInput, 65535, 2}));
  EXPECT_TRUE(to_request(Block{Table::kInput, 65535, 1}));
  EXPECT_FALSE(to_request(Write{Form::kRegister, 0, {}}));
  EXPECT_FALSE(to_request(Write{Form::kRegister, 0, {1, 2}}));
  EXPECT_FALSE(to_request(Write{Form::kRegisters, 0, Words(124)}));
  EXPECT_FALSE(to_request(Write{Form::kCoils, 0, Words(1969)}));
  EXPECT_FALSE(to_request(Write{Form::kCoils, 65535, {1, 1}}));
  EXPECT_FALSE(to_request(Block{Table::kDiscrete, 63537, 2000}));
  EXPECT_FALSE(to_request(Write{Form::kCoil, 0, {2}}));
  EXPECT_FALSE(to_request(Write{Form::kRegisters, 65535, {1, 2}}));
}

TEST(PduTest, KnowsEveryFunctionThatWrites) {
  for (const Form form : {Form::kCoil, Form::kCoils, Form::kRegister, Form::kRegisters}) {
    EXPECT_TRUE(to_request(Write{form, 0, {1}})->is_write()) << static_cast<int>(form);
  }
  for (const Table table : {Table::kCoil, Table::kDiscrete, Table::kInput, Table::kHolding}) {
    EXPECT_FALSE(to_request(Block{table, 0, 1})->is_write()) << static_cast<int>(table);
  }
}

TEST(PduTest, TellsTheShapeThatAnothersRequestAsksFor) {
  EXPECT_EQ(asked_by({1, 0, 0, 7, 208}), (Shape{1, 252}));  // 2000 bits
  EXPECT_EQ(asked_by({2, 0, 0, 0, 9}), (Shape{2, 4}));
  EXPECT_EQ(asked_by({3, 0, 0, 0, 125}), (Shape{3, 252}));
  EXPECT_EQ(asked_by({4, 0, 0, 0, 1}), (Shape{4, 4}));
  EXPECT_EQ(asked_by({5, 0, 1, 0xFF, 0}), (Shape{5, 5}));
  EXPECT_EQ(asked_by({6, 0, 1, 0, 3}), (Shape{6, 5}));
  EXPECT_EQ(asked_by({15, 0, 0, 0, 2, 1, 3}), (Shape{15, 5}));
  EXPECT_EQ(asked_by({16, 0, 0, 0, 1, 2, 0, 3}), (Shape{16, 5}));
  for (const Pdu& none : {Pdu{1, 0, 0, 7, 209}, Pdu{3, 0, 0, 0, 126}, Pdu{3, 0, 0, 0, 0}, Pdu{3, 0, 0, 0},
                          Pdu{3, 2, 0, 3}, Pdu{3, 4, 0, 1, 0, 2}, Pdu{5, 0, 0, 0, 2, 1}, Pdu{16, 0, 0, 0, 1},
                          Pdu{16, 0, 0, 0, 1, 2, 0}, Pdu{0x83, 2}, Pdu{7, 0, 0, 0, 1}}) {
    EXPECT_EQ(asked_by(none), std::nullopt) << ::testing::PrintToString(none);
  }
}

TEST(PduTest, TellsWhatMayAnswerAShape) {
  EXPECT_TRUE(can_answer({3, 2, 0, 7}, Shape{3, 4}));
  EXPECT_TRUE(can_answer({0x83, 2}, Shape{3, 4}));
  EXPECT_TRUE(can_answer({5, 0, 1, 0, 0}, Shape{5, 5}));
  EXPECT_FALSE(can_answer({3, 3, 0, 7}, Shape{3, 4}));
  EXPECT_FALSE(can_answer({3, 4, 0, 7, 0, 8}, Shape{3, 4}));
  EXPECT_FALSE(can_answer({4, 2, 0, 7}, Shape{3, 4}));
  EXPECT_FALSE(can_answer({0x84, 2}, Shape{3, 4}));
}

TEST(PduTest, SaysWhatWouldBeRight) {
  EXPECT_THAT(to_request(Block{Table::kHolding, 7, 126}).error().detail,
              ::testing::AllOf(::testing::HasSubstr("holding 7"), ::testing::HasSubstr("1 to 125")));
}

}  // namespace
}  // namespace metergate
